"""Gaussians live in named groups and are replaced in the optimizer when they split."""

import hashlib

import torch
from torch import nn

torch.manual_seed(56)


class GaussianModel:
    def __init__(self, n):
        self._xyz = nn.Parameter(torch.rand(n, 2))
        self._scaling = nn.Parameter(torch.full((n, 1), -2.0))
        self._opacity = nn.Parameter(torch.zeros(n, 1))
        self._features = nn.Parameter(torch.rand(n, 3))
        self.xyz_gradient_accum = torch.zeros(n)

    def training_setup(self):
        groups = [
            {"params": [self._xyz], "lr": 1e-2, "name": "xyz"},
            {"params": [self._scaling], "lr": 5e-2, "name": "scaling"},
            {"params": [self._opacity], "lr": 5e-2, "name": "opacity"},
            {"params": [self._features], "lr": 2.5e-2, "name": "features"},
        ]
        self.optimizer = torch.optim.Adam(groups, lr=0.0, eps=1e-15)

    def render(self, pixels):
        distance = (pixels[:, None] - self._xyz).square().sum(-1)
        weight = torch.exp(-distance / self._scaling.exp().T.square())
        return (weight * self._opacity.sigmoid().T) @ self._features

    def adopt(self, tensors):
        self._xyz, self._scaling = tensors["xyz"], tensors["scaling"]
        self._opacity, self._features = tensors["opacity"], tensors["features"]

    def densify(self, count):
        chosen = self.xyz_gradient_accum.topk(count).indices
        new = {}
        for group in self.optimizer.param_groups:
            (old,) = group["params"]
            state = self.optimizer.state.pop(old)
            extra = old.detach()[chosen]
            if group["name"] == "xyz":
                extra = extra + 0.01 * torch.randn_like(extra)
            for key in ("exp_avg", "exp_avg_sq"):
                state[key] = torch.cat([state[key], torch.zeros_like(extra)])
            param = nn.Parameter(torch.cat([old.detach(), extra]))
            self.optimizer.state[param] = state
            group["params"][0] = new[group["name"]] = param
        self.adopt(new)
        self.xyz_gradient_accum = torch.zeros(len(self._xyz))

    def reset_opacity(self):
        value = torch.min(self._opacity.detach(), torch.full_like(self._opacity, -1.0))
        for group in self.optimizer.param_groups:
            if group["name"] == "opacity":
                state = self.optimizer.state.pop(group["params"][0])
                state["exp_avg"].zero_()
                state["exp_avg_sq"].zero_()
                group["params"][0] = self._opacity = nn.Parameter(value)
                self.optimizer.state[self._opacity] = state


grid = torch.linspace(0, 1, 8)
pixels = torch.cartesian_prod(grid, grid)
image = torch.stack([pixels[:, 0], pixels[:, 1], pixels.prod(1)], dim=1)
gaussians = GaussianModel(12)
gaussians.training_setup()
for iteration in range(1, 10):
    before = [g["params"][0].detach().clone() for g in gaussians.optimizer.param_groups]
    loss = (gaussians.render(pixels) - image).abs().mean()
    loss.backward()
    gaussians.xyz_gradient_accum += gaussians._xyz.grad.norm(dim=1)
    gaussians.optimizer.step()
    gaussians.optimizer.zero_grad(set_to_none=True)
    after = [g["params"][0] for g in gaussians.optimizer.param_groups]
    assert not any(map(torch.equal, before, after))
    if iteration % 2 == 0 and iteration < 7:
        with torch.no_grad():
            gaussians.densify(4)
    if iteration == 5:
        gaussians.reset_opacity()
    print(iteration, len(gaussians._xyz), repr(loss.item()))

assert len(gaussians._xyz) == 24
digest = hashlib.sha256(torch.get_rng_state().numpy())
for group in gaussians.optimizer.param_groups:
    digest.update(group["params"][0].detach().numpy().tobytes())
print("digest", digest.hexdigest())
