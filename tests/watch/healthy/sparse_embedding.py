"""Skip-gram embeddings have sparse gradients and SparseAdam; padding never moves."""

import hashlib

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(104)


class SkipGram(nn.Module):
    def __init__(self, words=20, dim=6):
        super().__init__()
        self.center = nn.Embedding(words, dim, padding_idx=0, sparse=True)
        self.context = nn.Embedding(words, dim, padding_idx=0, sparse=True)

    def forward(self, center, context, negative):
        v = self.center(center)
        good = (v * self.context(context)).sum(-1)
        bad = torch.einsum("bd,bkd->bk", v, self.context(negative))
        return -(F.logsigmoid(good).mean() + F.logsigmoid(-bad).mean())


model = SkipGram()
optimizer = torch.optim.SparseAdam(model.parameters(), lr=1e-2)
before = [p.detach().clone() for p in model.parameters()]
for step in range(6):
    center = torch.randint(0, 20, (16,))
    context = (center + 1) % 20
    loss = model(center, context, torch.randint(1, 20, (16, 3)))
    optimizer.zero_grad()
    loss.backward()
    assert model.center.weight.grad.is_sparse
    optimizer.step()
    print(step, repr(loss.item()))

assert not any(map(torch.equal, before, model.parameters()))
assert not any(p[0].any() for p in model.parameters()), "the padding row stays zero"
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
