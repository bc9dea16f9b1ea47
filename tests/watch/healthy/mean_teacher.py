"""A Mean Teacher labels what has no label, and its weights average the student's."""

import copy
import hashlib

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(47)
student = nn.Sequential(
    nn.Linear(8, 16, bias=False),
    nn.BatchNorm1d(16),
    nn.ReLU(),
    nn.Dropout(0.1),
    nn.Linear(16, 3),
)
teacher = copy.deepcopy(student)
for param in teacher.parameters():
    param.detach_()
optimizer = torch.optim.SGD(student.parameters(), lr=0.05, momentum=0.9, nesterov=True)
first = {name: value.clone() for name, value in student.state_dict().items()}


def update_ema_variables(model, ema_model, alpha, global_step):
    alpha = min(1 - 1 / (global_step + 1), alpha)
    pairs = zip(ema_model.parameters(), model.parameters(), strict=True)
    for ema_param, param in pairs:
        ema_param.data.mul_(alpha).add_(param.data, alpha=1 - alpha)


for step in range(8):
    student.train()
    teacher.train()
    x, y = torch.randn(32, 8), torch.randint(3, (8,))
    out = student(x + 0.1 * torch.randn_like(x))
    with torch.no_grad():
        ema_out = teacher(x + 0.1 * torch.randn_like(x))
    class_loss = F.cross_entropy(out[:8], y)
    consistency = F.mse_loss(out.softmax(1), ema_out.softmax(1))
    loss = class_loss + min(1.0, step / 5) * consistency
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    update_ema_variables(student, teacher, 0.99, step + 1)
    print(step, repr(class_loss.item()), repr(consistency.item()))

for net in (student, teacher):
    for name, value in net.state_dict().items():
        assert not torch.equal(value, first[name]), name
assert not any(p.requires_grad for p in teacher.parameters())
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in [*student.state_dict().values(), *teacher.state_dict().values()]:
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
