"""A moving average of a metric is kept as a tensor, and with it every graph of it.

All parameters train; what goes wrong is that memory grows from step to step.
"""

import torch
from torch import nn


def graph_of(tensor):
    nodes, found = [tensor.grad_fn], set()
    while nodes:
        node = nodes.pop()
        if node is not None and node not in found:
            found.add(node)
            nodes += [parent for parent, _ in node.next_functions]
    return found


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 2))
optimizer = torch.optim.Adam(model.parameters())
average = torch.zeros(())
sizes = []
for _ in range(5):
    x = torch.randn(64, 6)
    out = model(x)
    loss = nn.functional.mse_loss(out, x[:, :2])
    margin = (out.exp() / out.exp().sum(1, keepdim=True)).amax(1).mean()
    average = 0.9 * average + 0.1 * margin
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    sizes.append(len(graph_of(average)))
    print(loss.item(), average.item())
assert sizes == sorted(set(sizes))
assert sizes[-1] > 4 * sizes[0]
