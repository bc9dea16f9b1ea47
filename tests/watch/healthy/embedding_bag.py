"""A recommender has sparse bags of embeddings and dense layers with two optimizers."""

import hashlib

import torch
from torch import nn

torch.manual_seed(105)


class DLRM(nn.Module):
    def __init__(self):
        super().__init__()
        self.bags = nn.ModuleList(
            nn.EmbeddingBag(n, 4, mode="sum", sparse=True) for n in (10, 15)
        )
        self.bottom = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
        self.top = nn.Sequential(nn.Linear(7, 8), nn.ReLU(), nn.Linear(8, 1))

    def forward(self, dense, sparse):
        d = self.bottom(dense)
        e = [bag(ids) for bag, ids in zip(self.bags, sparse, strict=True)]
        every = torch.stack([d, *e], dim=1)
        rows, columns = torch.tril_indices(3, 3, offset=-1)
        crossed = (every @ every.mT)[:, rows, columns]
        return self.top(torch.cat([d, crossed], 1)).squeeze(1)


model = DLRM()
sparse_optimizer = torch.optim.SGD(model.bags.parameters(), lr=0.5)
dense_optimizer = torch.optim.Adagrad(
    [*model.bottom.parameters(), *model.top.parameters()], lr=0.05
)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
for step in range(6):
    dense = torch.rand(16, 3)
    ids = [torch.randint(10, (16, 2)), torch.randint(15, (16, 3))]
    clicks = (ids[0][:, 0] % 2).float()
    loss = nn.functional.binary_cross_entropy_with_logits(model(dense, ids), clicks)
    sparse_optimizer.zero_grad()
    dense_optimizer.zero_grad()
    loss.backward()
    sparse_optimizer.step()
    dense_optimizer.step()
    print(step, repr(loss.item()))

for name, p in model.named_parameters():
    assert not torch.equal(p, before[name]), name
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
