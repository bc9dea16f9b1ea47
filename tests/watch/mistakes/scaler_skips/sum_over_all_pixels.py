"""A sum over all pixels is too large for float16, and the scaler skips every step.

Expect: still; net.*; skipped by the scaler;
Allow: nothing trains; *; ;
"""

import torch
from torch import nn


class Colorizer(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 3, padding=1)
        )

    def forward(self, gray):
        return self.net(gray)


def main(steps=5):
    torch.manual_seed(35)
    net = Colorizer()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    scaler = torch.amp.GradScaler("cpu", growth_interval=100)
    start = [p.tolist() for p in net.parameters()]
    for step in range(steps):
        image = torch.randint(256, (2, 3, 8, 8)).half()
        with torch.autocast("cpu", dtype=torch.float16):
            difference = net(image.mean(1, keepdim=True)) - image
            loss = difference.square().sum(dtype=torch.float16)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        print(step, loss.item(), scaler.get_scale())
        assert loss.isinf()
    assert [p.tolist() for p in net.parameters()] == start
    assert scaler.get_scale() == 65536 / 2**steps


if __name__ == "__main__":
    main()
