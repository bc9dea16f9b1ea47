"""A decoder learns to read an encoder that is frozen on purpose."""

import hashlib
import io

import torch
from torch import nn

torch.manual_seed(74)


class AutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 3))
        self.decoder = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 8))

    def forward(self, x):
        return self.decoder(self.encoder(x))


pretrained = io.BytesIO()
torch.save(AutoEncoder().encoder.state_dict(), pretrained)
pretrained.seek(0)

autoencoder = AutoEncoder()
autoencoder.encoder.load_state_dict(torch.load(pretrained, weights_only=True))
autoencoder.encoder.requires_grad_(False)
encoder_before = [p.clone() for p in autoencoder.encoder.parameters()]
decoder_before = [p.detach().clone() for p in autoencoder.decoder.parameters()]
optimizer = torch.optim.Adam(autoencoder.decoder.parameters(), lr=1e-2)
for step in range(6):
    x = torch.randn(32, 8)
    loss = (autoencoder(x) - x).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()))

assert all(map(torch.equal, encoder_before, autoencoder.encoder.parameters()))
assert not any(map(torch.equal, decoder_before, autoencoder.decoder.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in autoencoder.state_dict().values():
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
