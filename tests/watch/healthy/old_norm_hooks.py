"""The older norms recompute weight in a pre-hook, as in much published code."""

import hashlib
import warnings

import torch
from torch import nn
from torch.nn.utils import spectral_norm

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.nn.utils import weight_norm

torch.manual_seed(102)


def build():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return nn.Sequential(
            weight_norm(nn.Conv1d(1, 4, 3, padding=2, dilation=2)),
            nn.LeakyReLU(0.1),
            spectral_norm(nn.Conv1d(4, 1, 3, padding=1)),
        )


class Vocoder:
    def __init__(self):
        self.net = build()
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=1e-2)

    def step(self, wave):
        loss = (self.net(wave[..., :-1]) - wave[..., 1:]).abs().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


vocoder = Vocoder()
before = {name: p.detach().clone() for name, p in vocoder.net.named_parameters()}
time = torch.linspace(0, 12, 32)
for step in range(6):
    wave = torch.sin(time + torch.rand(8, 1) * 6)[:, None]
    print(step, repr(vocoder.step(wave)))

assert {"0.weight_g", "0.weight_v", "2.weight_orig"} <= set(before)
for name, p in vocoder.net.named_parameters():
    assert not torch.equal(p, before[name]), name
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in vocoder.net.state_dict().values():
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
