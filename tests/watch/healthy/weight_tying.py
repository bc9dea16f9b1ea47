"""A language model's output layer shares its weight with the embedding."""

import hashlib

import torch
from torch import nn

torch.manual_seed(100)


class GPT(nn.Module):
    def __init__(self, vocabulary=12, dim=8, context=6):
        super().__init__()
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(vocabulary, dim),
                "wpe": nn.Embedding(context, dim),
                "ln_1": nn.LayerNorm(dim, bias=False),
                "attn": nn.Linear(dim, 3 * dim, bias=False),
                "ln_f": nn.LayerNorm(dim, bias=False),
            }
        )
        self.lm_head = nn.Linear(dim, vocabulary, bias=False)
        self.transformer["wte"].weight = self.lm_head.weight
        for p in self.parameters():
            if p.ndim == 2:
                nn.init.normal_(p, std=0.2)

    def forward(self, idx):
        t = self.transformer
        x = t["wte"](idx) + t["wpe"](torch.arange(idx.shape[1]))
        q, k, v = t["attn"](t["ln_1"](x)).chunk(3, dim=-1)
        x = x + nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.lm_head(t["ln_f"](x))


model = GPT()
decay = [p for p in model.parameters() if p.dim() >= 2]
rest = [p for p in model.parameters() if p.dim() < 2]
optimizer = torch.optim.AdamW(
    [{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}],
    lr=5e-3,
    betas=(0.9, 0.95),
)
before = [p.detach().clone() for p in model.parameters()]
data = torch.arange(80) * 5 % 12
for step in range(6):
    starts = torch.randint(70, (8,)).tolist()
    x = torch.stack([data[i : i + 6] for i in starts])
    y = torch.stack([data[i + 1 : i + 7] for i in starts])
    loss = nn.functional.cross_entropy(model(x).flatten(0, 1), y.flatten())
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    print(step, repr(loss.item()))

assert not any(map(torch.equal, before, model.parameters()))
assert model.lm_head.weight is model.transformer["wte"].weight
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
