"""A frozen teacher runs without gradients, but in training mode, and its norms drift.

Expect: moves; teacher.*running_*; the forward updates this buffer;
Expect: moves; teacher.*num_batches_tracked; the forward updates this buffer;
"""

import torch
import torch.nn.functional as F
from torch import nn


def network(width):
    return nn.Sequential(
        nn.Conv1d(1, width, 3, bias=False),
        nn.BatchNorm1d(width),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(width, 4),
    )


def distillation(student_logits, teacher_logits, temperature=2.0):
    p = (teacher_logits / temperature).softmax(1)
    q = (student_logits / temperature).log_softmax(1)
    return F.kl_div(q, p, reduction="batchmean") * temperature**2


def main():
    torch.manual_seed(54)
    teacher, student = network(16), network(4)
    teacher.requires_grad_(False)
    optimizer = torch.optim.Adam(student.parameters(), lr=1e-3)
    before = teacher[1].running_mean.tolist()
    for step in range(3):
        x = torch.randn(10, 1, 12)
        with torch.no_grad():
            target = teacher(x)
        loss = distillation(student(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, loss.item())
    assert teacher[1].running_mean.tolist() != before
    assert teacher[1].num_batches_tracked == 3


if __name__ == "__main__":
    main()
