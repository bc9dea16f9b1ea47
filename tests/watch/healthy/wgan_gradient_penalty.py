"""A WGAN-GP makes fakes under no_grad and differentiates a gradient of its critic."""

import hashlib

import torch
from torch import nn

torch.manual_seed(23)


def gradient_penalty(critic, real, fake):
    alpha = torch.rand(len(real), 1)
    mixed = (alpha * real + (1 - alpha) * fake).requires_grad_(True)
    out = critic(mixed)
    (grad,) = torch.autograd.grad(
        out, mixed, grad_outputs=torch.ones_like(out), create_graph=True
    )
    return (grad.norm(2, dim=1) - 1).pow(2).mean()


def main():
    generator = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
    # No bias in the last layer: it shifts both means alike and would not move.
    critic = nn.Sequential(
        nn.Linear(2, 16), nn.Softplus(), nn.Linear(16, 1, bias=False)
    )
    opt_g = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.0, 0.9))
    opt_c = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.0, 0.9))
    weights = [*generator.parameters(), *critic.parameters()]
    before = [p.detach().clone() for p in weights]
    for step in range(5):
        for _ in range(2):
            real = torch.randn(8, 2)
            with torch.no_grad():
                fake = generator(torch.randn(8, 4))
            loss_c = critic(fake).mean() - critic(real).mean()
            loss_c = loss_c + 10 * gradient_penalty(critic, real, fake)
            opt_c.zero_grad()
            loss_c.backward()
            opt_c.step()
        loss_g = -critic(generator(torch.randn(8, 4))).mean()
        opt_g.zero_grad()
        loss_g.backward()
        opt_g.step()
        print(f"{step}: critic {loss_c.item()!r} generator {loss_g.item()!r}")

    assert not any(map(torch.equal, before, weights))
    digest = hashlib.sha256(torch.get_rng_state().numpy())
    for p in weights:
        digest.update(p.detach().numpy().tobytes())
    print("digest", digest.hexdigest())


if __name__ == "__main__":
    main()
