"""A language model has no nn.Module: its weights are tensors in a dict."""

import hashlib

import torch
import torch.nn.functional as F

text = "the quick brown fox jumps over the lazy dog and runs away again and again"
chars = sorted(set(text))
stoi = {c: i for i, c in enumerate(chars)}
data = torch.tensor([stoi[c] for c in text])
torch.manual_seed(55)
g = torch.Generator().manual_seed(2147483647)
block_size, n_embd, n_hidden = 3, 6, 24

P = {
    "C": torch.randn(len(chars), n_embd, generator=g),
    "W1": torch.randn(block_size * n_embd, n_hidden, generator=g) * 0.2,
    "b1": torch.randn(n_hidden, generator=g) * 0.01,
    "W2": torch.randn(n_hidden, len(chars), generator=g) * 0.01,
    "b2": torch.zeros(len(chars)),
}
for p in P.values():
    p.requires_grad_()
before = {name: p.detach().clone() for name, p in P.items()}
optimizer = torch.optim.SGD(P.values(), lr=0.2)


def forward(X):
    h = torch.tanh(P["C"][X].flatten(1) @ P["W1"] + P["b1"])
    return h @ P["W2"] + P["b2"]


for i in range(8):
    ix = torch.randint(len(data) - block_size, (16,), generator=g)
    X = torch.stack([data[j : j + block_size] for j in ix])
    loss = F.cross_entropy(forward(X), data[ix + block_size])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(i, repr(loss.item()))

assert not any(torch.equal(before[name], p) for name, p in P.items())
digest = hashlib.sha256(torch.get_rng_state().numpy())
digest.update(g.get_state().numpy())
for p in P.values():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
