"""DINO centres an averaged teacher and keeps its own last layer still for an epoch."""

import copy
import hashlib

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(51)


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(8, 16), nn.GELU())
        self.last_layer = nn.Linear(16, 10, bias=False)

    def forward(self, x):
        return self.last_layer(F.normalize(self.backbone(x), dim=-1))


def cancel_gradients_last_layer(epoch, model, freeze_last_layer=1):
    if epoch >= freeze_last_layer:
        return
    for n, p in model.named_parameters():
        if "last_layer" in n:
            p.grad = None


student = Head()
teacher = copy.deepcopy(student)
for p in teacher.parameters():
    p.requires_grad = False
center = torch.zeros(1, 10)
optimizer = torch.optim.AdamW(student.parameters(), lr=5e-3, weight_decay=0.04)
before = [p.detach().clone() for p in student.parameters()]
it = 0
for epoch in range(3):
    for _ in range(2):
        x = torch.randn(16, 8)
        views = [x + 0.2 * torch.randn(16, 8) for _ in range(2)]
        with torch.no_grad():
            teacher_output = torch.cat([teacher(v) for v in views])
        targets = ((teacher_output - center) / 0.07).softmax(-1).detach().chunk(2)
        outputs = [student(v) / 0.1 for v in views]
        loss = sum(
            -(targets[i] * outputs[1 - i].log_softmax(-1)).sum(-1).mean()
            for i in range(2)
        )
        optimizer.zero_grad()
        loss.backward()
        cancel_gradients_last_layer(epoch, student)
        optimizer.step()
        with torch.no_grad():
            center = 0.9 * center + 0.1 * teacher_output.mean(0, keepdim=True)
            for q, k in zip(student.parameters(), teacher.parameters(), strict=True):
                k.data.mul_(0.99).add_(0.01 * q.detach().data)
        it += 1
        print(epoch, it, repr(loss.item()))

assert not any(map(torch.equal, before, student.parameters()))
assert not any(map(torch.equal, before, teacher.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in [*student.parameters(), *teacher.parameters(), center]:
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
