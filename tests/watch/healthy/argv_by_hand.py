"""A script reads sys.argv itself and overrides its own globals with the values.

Arguments: --learning_rate=0.05 --hidden=6
"""

import hashlib
import sys
from ast import literal_eval
from pathlib import Path

import torch
from torch import nn

learning_rate = 0.1
hidden = 8
max_iters = 6

config_keys = [
    k for k, v in globals().items() if k[0] != "_" and isinstance(v, int | float)
]
for arg in sys.argv[1:]:
    key, _, value = arg.removeprefix("--").partition("=")
    if key not in config_keys:
        raise ValueError(f"Unknown config key: {key}")
    globals()[key] = literal_eval(value)

assert __name__ == "__main__"
assert Path(sys.argv[0]).resolve() == Path(__file__).resolve()
assert Path(sys.path[0]).resolve() == Path(__file__).resolve().parent
assert sys.modules["__main__"].__dict__ is globals()
config = {k: globals()[k] for k in config_keys}
print(Path(sys.argv[0]).name, len(sys.argv), config)

torch.manual_seed(121)
model = nn.Sequential(nn.Linear(3, hidden), nn.Tanh(), nn.Linear(hidden, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)
before = [p.detach().clone() for p in model.parameters()]
iter_num = 0
while True:
    if iter_num % 3 == 0:
        model.eval()
        with torch.no_grad():
            print("validation", repr(model(torch.ones(1, 3)).item()))
        model.train()
    x = torch.randn(16, 3)
    loss = (model(x).squeeze(1) - x.sum(1)).pow(2).mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    print(f"iter {iter_num}: loss {loss.item()!r}")
    iter_num += 1
    if iter_num > max_iters:
        break

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
