"""The weights of an architecture are parameters of the network, so both move them.

Note: choice: stepped by Adam and by SGD
"""

import torch
from torch import nn


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.paths = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.choice = nn.Parameter(torch.zeros(3))

    def forward(self, inputs):
        results = torch.stack([path(inputs) for path in self.paths])
        return torch.einsum("p,pbf->bf", self.choice.softmax(0), results)


torch.manual_seed(91)
model = Mixed()
of_weights = torch.optim.SGD(model.parameters(), lr=0.1)
of_choice = torch.optim.Adam([model.choice], lr=0.01)
for _ in range(4):
    for optimizer in (of_choice, of_weights):
        inputs = torch.randn(8, 4)
        optimizer.zero_grad()
        nn.functional.mse_loss(model(inputs), inputs.flip(1)).backward()
        optimizer.step()
