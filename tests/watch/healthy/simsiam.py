"""SimSiam stops the gradient on one side of two views of the same images."""

import hashlib

import torch
from torch import nn

torch.manual_seed(49)


class SimSiam(nn.Module):
    def __init__(self, dim=12, pred_dim=6):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(8, dim, bias=False),
            nn.BatchNorm1d(dim),
            nn.ReLU(inplace=True),
            nn.Linear(dim, dim, bias=False),
            nn.BatchNorm1d(dim, affine=False),
        )
        self.predictor = nn.Sequential(
            nn.Linear(dim, pred_dim, bias=False),
            nn.BatchNorm1d(pred_dim),
            nn.ReLU(inplace=True),
            nn.Linear(pred_dim, dim),
        )

    def forward(self, x1, x2):
        z1, z2 = self.encoder(x1), self.encoder(x2)
        return self.predictor(z1), self.predictor(z2), z1.detach(), z2.detach()


model = SimSiam()
criterion = nn.CosineSimilarity(dim=1)
optim_params = [
    {"params": model.encoder.parameters(), "fix_lr": False},
    {"params": model.predictor.parameters(), "fix_lr": True},
]
optimizer = torch.optim.SGD(optim_params, 0.05, momentum=0.9, weight_decay=1e-4)
before = [p.detach().clone() for p in model.parameters()]
for epoch in range(6):
    for group in optimizer.param_groups:
        group["lr"] = 0.05 if group["fix_lr"] else 0.05 * (1 - epoch / 6)
    x = torch.randn(16, 8)
    p1, p2, z1, z2 = model(x + 0.1 * torch.randn(16, 8), x + 0.1 * torch.randn(16, 8))
    loss = -(criterion(p1, z2).mean() + criterion(p2, z1).mean()) * 0.5
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(epoch, repr(loss.item()))

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in model.state_dict().values():
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
