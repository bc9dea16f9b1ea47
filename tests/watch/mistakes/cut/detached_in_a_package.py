"""A module of a package detaches the stream of the video before it is classified.

Expect: cut; model.video.*; detach(); # blame
"""

import torch
from networks import AudioStream, Fusion, VideoStream
from torch import nn

torch.manual_seed(0)
model = Fusion(AudioStream(6), VideoStream(6), width=6, classes=4)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
video = [p.tolist() for p in model.video.parameters()]
for step in range(3):
    sound, frames, label = torch.randn(5, 1, 30), torch.rand(5, 4, 12), torch.arange(5)
    loss = nn.functional.cross_entropy(model(sound, frames), label % 4)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
assert [p.tolist() for p in model.video.parameters()] == video
assert all(p.grad is None for p in model.video.parameters())
assert all(p.grad.any() for p in model.audio.parameters())
