"""The shadow weights for the evaluation are detached from the model, but not cloned.

Expect: moves; *shadow.*; shares its memory with;
"""

import torch
from torch import nn
from torch.func import functional_call


class Average(nn.Module):
    def __init__(self, model, every):
        super().__init__()
        self.names = [name for name, _ in model.named_parameters()]
        self.shadow = nn.ParameterList(
            nn.Parameter(p.detach(), requires_grad=False) for p in model.parameters()
        )
        self.every = every

    def weights(self):
        return dict(zip(self.names, self.shadow, strict=True))


def main():
    torch.manual_seed(44)
    model = nn.GRU(3, 4, batch_first=True)
    average = Average(model, every=100)
    first = average.shadow[0].tolist()
    optimizer = torch.optim.Rprop(model.parameters(), lr=0.01)
    for step in range(1, 4):
        x = torch.randn(6, 8, 3)
        loss = (model(x)[0][..., :3] - x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            out, _ = functional_call(model, average.weights(), (x,))
            print(step, loss.item(), (out[..., :3] - x).square().mean().item())
    assert step < average.every
    assert average.shadow[0].tolist() != first
    assert not any(p.requires_grad for p in average.parameters())


if __name__ == "__main__":
    main()
