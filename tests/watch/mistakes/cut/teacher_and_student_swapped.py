"""Teacher and student are swapped where the loss stops the gradient of one of them.

Expect: cut; *student.*; no_grad; # blame
"""

from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class Distillation:
    teacher: nn.Module
    student: nn.Module
    temperature: float = 3.0

    def loss(self, x):
        with torch.no_grad():  # blame
            target = self.student(x).div(self.temperature).softmax(1)
        prediction = self.teacher(x).div(self.temperature).log_softmax(1)
        return nn.functional.kl_div(prediction, target, reduction="batchmean")


torch.manual_seed(86)
teacher = nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 4))
student = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4))
distillation = Distillation(teacher, student)
optimizer = torch.optim.Adam([*student.parameters(), *teacher.parameters()], lr=1e-2)
start = student[0].weight.tolist(), teacher[0].weight.tolist()
for epoch in range(3):
    loss = distillation.loss(torch.randn(16, 6))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(epoch, loss.item())
assert student[0].weight.tolist() == start[0]
assert student[0].weight.grad is None
assert teacher[0].weight.tolist() != start[1]
