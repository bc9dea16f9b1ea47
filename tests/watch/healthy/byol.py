"""BYOL predicts with its online network what an averaged target network says."""

import copy
import hashlib

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(48)


def mlp(inputs, hidden, outputs):
    return nn.Sequential(
        nn.Linear(inputs, hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, outputs),
    )


class BYOL(nn.Module):
    def __init__(self):
        super().__init__()
        self.online_encoder = nn.Sequential(mlp(8, 16, 12), mlp(12, 16, 6))
        self.predictor = mlp(6, 16, 6)
        self.target_encoder = copy.deepcopy(self.online_encoder)
        for p in self.target_encoder.parameters():
            p.requires_grad = False

    @torch.no_grad()
    def update_moving_average(self, beta=0.95):
        pairs = zip(
            self.online_encoder.parameters(),
            self.target_encoder.parameters(),
            strict=True,
        )
        for online, target in pairs:
            target.copy_(beta * target + (1 - beta) * online)

    def forward(self, one, two):
        online = self.predictor(self.online_encoder(torch.cat([one, two])))
        with torch.no_grad():
            target = self.target_encoder(torch.cat([two, one])).detach()
        return 2 - 2 * F.cosine_similarity(online, target).mean()


learner = BYOL()
opt = torch.optim.Adam(learner.parameters(), lr=3e-3)  # all of them, as in the original
before = {name: p.detach().clone() for name, p in learner.named_parameters()}
for step in range(6):
    images = torch.randn(16, 8)
    loss = learner(
        images + 0.1 * torch.randn_like(images), images * (torch.rand(16, 8) > 0.1)
    )
    opt.zero_grad()
    loss.backward()
    opt.step()
    learner.update_moving_average()
    print(step, repr(loss.item()))

# The last biases drop out: what the target averages still moves with them.
for name, p in learner.named_parameters():
    assert not torch.equal(p, before[name]), name
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in learner.state_dict().values():
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
