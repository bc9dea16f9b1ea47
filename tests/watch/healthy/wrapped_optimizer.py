"""A library wraps model, optimizer and backward, and steps at every second batch."""

import contextlib
import functools
import hashlib

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class WrappedOptimizer(torch.optim.Optimizer):
    """Is an optimizer itself, but hands everything to the one it holds."""

    def __init__(self, optimizer, accelerator):
        self.optimizer, self.accelerator = optimizer, accelerator

    @property
    def state(self):
        return self.optimizer.state

    @property
    def param_groups(self):
        return self.optimizer.param_groups

    @property
    def defaults(self):
        return self.optimizer.defaults

    def zero_grad(self, set_to_none=None):
        if self.accelerator.sync_gradients:
            self.optimizer.zero_grad(set_to_none=set_to_none is not False)

    def step(self, closure=None):
        if self.accelerator.sync_gradients:
            self.optimizer.step(closure)


class Accelerator:
    def __init__(self, accumulation):
        self.accumulation, self.count, self.sync_gradients = accumulation, 0, False

    def prepare(self, model, optimizer, loader):
        forward = model.forward

        @functools.wraps(forward)
        def autocast_forward(*args, **kwargs):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return forward(*args, **kwargs).float()

        model.forward = autocast_forward
        return model, WrappedOptimizer(optimizer, self), loader

    @contextlib.contextmanager
    def accumulate(self):
        self.count += 1
        self.sync_gradients = self.count % self.accumulation == 0
        yield

    def backward(self, loss):
        (loss / self.accumulation).backward()

    def clip_grad_norm_(self, parameters, max_norm):
        if self.sync_gradients:
            nn.utils.clip_grad_norm_(parameters, max_norm)


def main():
    torch.manual_seed(173)
    x = torch.randn(40, 4)
    loader = DataLoader(TensorDataset(x, x.sum(1)), batch_size=4, shuffle=True)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    before = [p.detach().clone() for p in model.parameters()]
    accelerator = Accelerator(accumulation=2)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    for inputs, targets in loader:
        with accelerator.accumulate():
            loss = nn.functional.mse_loss(model(inputs).squeeze(1), targets)
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        print(repr(loss.item()))

    assert not any(map(torch.equal, before, model.parameters()))
    digest = hashlib.sha256(torch.get_rng_state().numpy())
    for p in model.parameters():
        digest.update(p.detach().numpy().tobytes())
    print("digest", digest.hexdigest())


if __name__ == "__main__":
    main()
