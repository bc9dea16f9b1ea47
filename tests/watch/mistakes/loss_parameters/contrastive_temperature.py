"""A contrastive loss learns its temperature, but only the encoders are optimized.

Expect: not in optimizer; *.logit_scale; gets a gradient that nobody applies;
"""

import math

import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize


class ContrastiveLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self, images, texts):
        logits = self.logit_scale.exp() * normalize(images) @ normalize(texts).T
        target = torch.arange(len(images))
        return (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2


def encoder(inputs, width=8):
    return nn.Sequential(nn.Linear(inputs, 12), nn.Tanh(), nn.Linear(12, width))


def main():
    torch.manual_seed(77)
    image_encoder, text_encoder = encoder(15), encoder(9)
    criterion = ContrastiveLoss()
    optimizer = torch.optim.Adam(
        [
            {"params": image_encoder.parameters(), "lr": 1e-4},
            {"params": text_encoder.parameters(), "lr": 1e-3},
        ]
    )
    for step in range(3):
        images, texts = torch.randn(6, 15), torch.randn(6, 9)
        loss = criterion(image_encoder(images), text_encoder(texts))
        for group in optimizer.param_groups:
            for p in group["params"]:
                p.grad = None
        loss.backward()
        optimizer.step()
        print(step, f"loss={loss.item():.3f}", f"1/t={criterion.logit_scale.exp():.2f}")
    assert criterion.logit_scale.item() == torch.tensor(math.log(1 / 0.07)).item()
    assert criterion.logit_scale.grad != 0


if __name__ == "__main__":
    main()
