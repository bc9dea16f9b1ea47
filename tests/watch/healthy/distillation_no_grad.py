"""A student copies the logits of a teacher that runs in eval mode under no_grad."""

import hashlib

import torch
import torch.nn.functional as F
from torch import nn


class DeepNN(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.features = nn.Sequential(
            nn.Linear(6, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU()
        )
        self.classifier = nn.Sequential(nn.Dropout(0.1), nn.Linear(hidden, 3))

    def forward(self, x):
        return self.classifier(self.features(x))


def train_knowledge_distillation(teacher, student, batches, T=2.0):
    optimizer = torch.optim.Adam(student.parameters(), lr=1e-2)
    # The teacher is not frozen: as in many programs only no_grad keeps it out.
    teacher.eval()
    student.train()
    for inputs, labels in batches:
        optimizer.zero_grad()
        with torch.no_grad():
            teacher_logits = teacher(inputs)
        student_logits = student(inputs)
        soft_targets = F.softmax(teacher_logits / T, dim=-1)
        soft_prob = F.log_softmax(student_logits / T, dim=-1)
        soft_loss = F.kl_div(soft_prob, soft_targets, reduction="batchmean") * T**2
        loss = 0.25 * soft_loss + 0.75 * F.cross_entropy(student_logits, labels)
        loss.backward()
        optimizer.step()
        print(repr(loss.item()))


torch.manual_seed(71)
teacher, student = DeepNN(24), DeepNN(8)
fixed = {name: value.clone() for name, value in teacher.state_dict().items()}
before = [p.detach().clone() for p in student.parameters()]
batches = [(torch.randn(16, 6), torch.randint(3, (16,))) for _ in range(5)]
train_knowledge_distillation(teacher, student, batches)

assert not any(map(torch.equal, before, student.parameters()))
assert all(torch.equal(v, fixed[n]) for n, v in teacher.state_dict().items())
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in [*student.state_dict().values(), *teacher.state_dict().values()]:
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
