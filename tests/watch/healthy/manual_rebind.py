"""Each step makes new tensors from the old ones and their gradients."""

import hashlib

import torch

torch.manual_seed(54)


def model(t_u, w, b):
    return w * t_u + b


def training_loop(n_epochs, learning_rate, params, t_u, t_c):
    for epoch in range(1, n_epochs + 1):
        w, b = params
        loss = (model(t_u, w, b) - t_c).square().mean()
        grad = torch.autograd.grad(loss, params)
        with torch.no_grad():
            params = [
                (p - learning_rate * g).requires_grad_()
                for p, g in zip(params, grad, strict=True)
            ]
        print(f"Epoch {epoch}, Loss {loss.item()!r}")
    return params


start = [torch.ones((), requires_grad=True), torch.zeros((), requires_grad=True)]
t_u = torch.tensor([3.57, 5.59, 5.82, 8.19, 5.63, 4.89, 3.39, 2.18])
t_c = torch.tensor([0.5, 14.0, 15.0, 28.0, 11.0, 8.0, 3.0, -4.0])
end = training_loop(8, 1e-2, start, t_u, t_c)

assert not any(map(torch.equal, start, end))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in end:
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
