"""Train an encoder and a decoder, each with its optimizer, under autocast."""

import hashlib
import itertools

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import nn
from torch.utils.data import DataLoader

set_seed(0)
accelerator = Accelerator(cpu=True, mixed_precision="bf16")
encoder = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
decoder = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 8))
of_encoder = torch.optim.SGD(encoder.parameters(), lr=0.1, momentum=0.9)
of_decoder = torch.optim.Adam(decoder.parameters(), lr=1e-2)
loader = DataLoader(torch.randn(64, 8), batch_size=16)
encoder, decoder, of_encoder, of_decoder, loader = accelerator.prepare(
    encoder, decoder, of_encoder, of_decoder, loader
)
parameters = [*encoder.parameters(), *decoder.parameters()]
before = [p.detach().clone() for p in parameters]
losses = []
for x in loader:
    loss = nn.functional.mse_loss(decoder(encoder(x)), x)
    accelerator.backward(loss)
    for optimizer in (of_encoder, of_decoder):
        optimizer.step()
        optimizer.zero_grad()
    losses.append(loss.item())

print("losses", losses)
weights = str([p.tolist() for p in parameters])
print("weights", hashlib.sha256(weights.encode()).hexdigest())
assert encoder(x).dtype == torch.float32
for new, old in itertools.zip_longest(parameters, before):
    assert new.dtype == torch.float32
    assert not torch.equal(new, old)
