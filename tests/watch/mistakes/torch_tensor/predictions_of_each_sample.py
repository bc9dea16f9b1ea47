"""Graphs are read one by one, and the list of their scores is copied by as_tensor().

Expect: cut; *reader.*; torch.tensor(); # blame
"""

import warnings

import torch
from torch import nn

warnings.filterwarnings("ignore", message="Converting a tensor with requires_grad")


class GraphReader(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.node = nn.Linear(3, width)
        self.edge = nn.Linear(width, 1)

    def forward(self, nodes, adjacency):
        h = torch.relu(self.node(nodes))
        return self.edge(adjacency @ h).mean()


class Model:
    def __init__(self):
        self.reader = GraphReader(6)
        self.calibrate = nn.Linear(1, 1)
        both = [*self.reader.parameters(), *self.calibrate.parameters()]
        self.optimizer = torch.optim.SGD(both, lr=0.05)

    def train_on(self, graphs, labels):
        scores = [self.reader(nodes, adjacency) for nodes, adjacency in graphs]
        scores = torch.as_tensor(scores)  # blame
        logits = self.calibrate(scores[:, None])[:, 0]
        loss = nn.functional.binary_cross_entropy_with_logits(logits, labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


def graphs(count):
    for size in torch.randint(2, 6, (count,)).tolist():
        yield torch.randn(size, 3), torch.rand(size, size).round()


torch.manual_seed(93)
model = Model()
start = model.reader.node.weight.tolist(), model.calibrate.weight.item()
for _ in range(3):
    print(model.train_on(list(graphs(8)), torch.randint(2, (8,)).float()))
assert model.reader.node.weight.tolist() == start[0]
assert model.reader.edge.weight.grad is None
assert model.calibrate.weight.item() != start[1]
