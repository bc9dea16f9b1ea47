"""Pruned weights are zero and their gradients masked, but an old momentum moves them.

Weight decay leaves zeros as they are; it moves them only after that.

Note: moves these by momentum
"""

import torch
from torch import nn

torch.manual_seed(29)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(
    model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3
)

# As a checkpoint of the training before the pruning has it.
checkpoint = optimizer.state_dict()
checkpoint["state"] = {
    number: {"momentum_buffer": torch.randn_like(parameter) / 10}
    for number, parameter in enumerate(model.parameters())
}
optimizer.load_state_dict(checkpoint)

masks = {}
for layer in (model[0], model[2]):
    keep = layer.weight.detach().abs() > layer.weight.detach().abs().median()
    layer.weight.data *= keep
    masks[layer.weight] = keep.float()

for _ in range(6):
    inputs = torch.randn(16, 8)
    optimizer.zero_grad()
    model(inputs).square().mean().backward()
    for parameter, mask in masks.items():
        parameter.grad.mul_(mask)
    optimizer.step()
