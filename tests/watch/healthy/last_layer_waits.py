"""The last layer gets no gradient in the first epoch; a teacher averages all layers."""

import copy
import hashlib

import torch
from torch import nn

torch.manual_seed(62)
student = nn.Sequential(nn.Linear(6, 12), nn.GELU(), nn.Linear(12, 5))
teacher = copy.deepcopy(student).requires_grad_(False)
optimizer = torch.optim.AdamW(student.parameters(), lr=0.01)
before = [p.detach().clone() for p in student.parameters()]

for epoch in range(2):
    for _ in range(4):
        x = torch.randn(16, 6)
        target = (teacher(x + 0.1 * torch.randn_like(x)) / 0.1).softmax(1)
        loss = nn.functional.cross_entropy(student(x), target)
        optimizer.zero_grad()
        loss.backward()
        if epoch == 0:
            for parameter in student[2].parameters():
                parameter.grad = None
        optimizer.step()
        pairs = student.parameters(), teacher.parameters()
        with torch.no_grad():
            for mine, theirs in zip(*pairs, strict=True):
                theirs.mul_(0.9).add_(mine, alpha=0.1)
        print(epoch, repr(loss.item()))

assert not any(map(torch.equal, before, student.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in [*student.state_dict().values(), *teacher.state_dict().values()]:
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
