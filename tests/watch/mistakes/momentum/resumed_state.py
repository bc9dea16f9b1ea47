"""A run resumes with momentum from a checkpoint, and gradients are allocated as zeros.

Expect: moves; model.embed.weight; momentum;
"""

import io

import torch
from torch import nn

torch.manual_seed(52)


def checkpoint(model):
    state = {
        i: {"momentum_buffer": 0.1 * torch.randn_like(p)}
        for i, p in enumerate(model.parameters())
    }
    options = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1, momentum=0.9)
    group = options.state_dict()["param_groups"][0] | {"params": list(state)}
    file = io.BytesIO()
    torch.save({"optimizer": {"state": state, "param_groups": [group]}}, file)
    file.seek(0)
    return file


model = nn.ModuleDict(
    {"embed": nn.Embedding(30, 5), "mix": nn.Linear(5, 5), "out": nn.Linear(5, 30)}
)
file = checkpoint(model)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
optimizer.load_state_dict(torch.load(file)["optimizer"])
model["embed"].requires_grad_(False)
for parameter in model.parameters():
    parameter.grad = torch.zeros_like(parameter)
frozen = model["embed"].weight.clone()
for _ in range(3):
    for parameter in model.parameters():
        parameter.grad.zero_()
    tokens = torch.randint(30, (10, 2))
    logits = model["out"](model["mix"](model["embed"](tokens[:, 0])).relu())
    loss = nn.functional.cross_entropy(logits, tokens[:, 1])
    loss.backward()
    optimizer.step()
    print("loss", loss.item())
assert not model["embed"].weight.requires_grad
assert not model["embed"].weight.grad.any()
assert not torch.equal(model["embed"].weight, frozen)
