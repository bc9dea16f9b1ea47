"""The output of a recurrent layer is taken as .data, where only its state should be.

Expect: cut; net.first.*; .data; # blame
Expect: cut; net.words.weight; .data; # blame
"""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, vocabulary=15):
        super().__init__()
        self.words = nn.Embedding(vocabulary, 5)
        self.first = nn.LSTM(5, 7)
        self.second = nn.LSTM(7, 7)
        self.out = nn.Linear(7, vocabulary)

    def forward(self, tokens, states=(None, None)):
        output, first = self.first(self.words(tokens), states[0])
        first = tuple(s.detach() for s in first)
        output = output.data  # blame
        output, second = self.second(output, states[1])
        second = tuple(s.detach() for s in second)
        return self.out(output), (first, second)


def main(length=4):
    torch.manual_seed(51)
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    text = torch.randint(15, (4 * length + 1, 3))
    states = (None, None)
    for start in range(0, len(text) - 1, length):
        x = text[start : start + length]
        y = text[start + 1 : start + length + 1]
        logits, states = net(x, states)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.25)
        optimizer.step()
        print(start, loss.item())
    assert all(p.grad is None for p in net.first.parameters())
    assert net.words.weight.grad is None
    assert all(p.grad.any() for p in net.second.parameters())


main()
