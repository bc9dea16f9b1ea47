"""A soft prompt is all that trains: it goes through a frozen language model."""

import hashlib

import torch
from torch import nn

torch.manual_seed(147)


class LanguageModel(nn.Module):
    def __init__(self, vocabulary=15, dim=8):
        super().__init__()
        self.wte = nn.Embedding(vocabulary, dim)
        self.block = nn.TransformerEncoderLayer(
            dim, 2, 16, dropout=0.0, batch_first=True, norm_first=True
        )
        self.lm_head = nn.Linear(dim, vocabulary, bias=False)

    def forward(self, embeds):
        return self.lm_head(self.block(embeds))


lm = LanguageModel().eval()
for p in lm.parameters():
    p.requires_grad_(False)
soft_prompt = nn.Parameter(lm.wte.weight[:3].clone())
optimizer = torch.optim.Adam([soft_prompt], lr=0.05)
fixed = [p.clone() for p in lm.parameters()]
before = soft_prompt.detach().clone()
for step in range(6):
    tokens = torch.randint(15, (8, 4))
    prompt = soft_prompt.unsqueeze(0).expand(len(tokens), -1, -1)
    logits = lm(torch.cat([prompt, lm.wte(tokens)], dim=1))
    loss = nn.functional.cross_entropy(logits[:, -1], (tokens[:, 0] + 1) % 15)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()))

assert not torch.equal(before, soft_prompt)
assert all(map(torch.equal, fixed, lm.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
digest.update(soft_prompt.detach().numpy().tobytes())
print("digest", digest.hexdigest())
