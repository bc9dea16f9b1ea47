"""The loop was copied from a script for testing, with its block for inference.

Expect: cut; text_encoder.*; inference_mode; # blame
"""

import torch
from torch import nn

torch.manual_seed(79)
text_encoder = nn.GRU(6, 8, batch_first=True)
head = nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 4))
optimizer = torch.optim.Adagrad(
    [
        {"params": text_encoder.parameters(), "lr": 1e-2},
        {"params": head.parameters(), "lr": 1e-1},
    ]
)
start = {name: p.tolist() for name, p in text_encoder.named_parameters()}
for step in range(4):
    sentences, labels = torch.randn(7, 5, 6), torch.randint(4, (7,))
    with torch.inference_mode():  # blame
        states, _ = text_encoder(sentences)
        pooled = states.mean(1)
    logits = head(pooled.clone())
    loss = nn.functional.cross_entropy(logits, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
for name, parameter in text_encoder.named_parameters():
    assert parameter.tolist() == start[name]
    assert parameter.grad is None
assert head[1].weight.grad.any()
