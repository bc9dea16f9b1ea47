"""
Muon only supports 2D parameters: two optimizers on one model
=============================================================

Give Muon the matrices of the hidden layers and AdamW all other parameters, and check
that each parameter is in exactly one. Clear the gradients of the whole model.
"""

# %%
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Embedding(10, 16), nn.Linear(16, 16), nn.Linear(16, 10))
try:
    torch.optim.Muon(model.parameters())
except ValueError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("Muon took a bias")

hidden = [p for p in model[1:-1].parameters() if p.ndim == 2]
rest = [p for p in model.parameters() if not any(p is q for q in hidden)]
muon = torch.optim.Muon(hidden, lr=0.02)
adamw = torch.optim.AdamW(rest, lr=0.02)
print(len(hidden), "+", len(rest), "=", len(list(model.parameters())))
assert (len(hidden), len(rest)) == (1, 4)

# %%
# PyTorch has :torch:`torch.optim.Muon` :since:`2.9`. The embedding and the last layer
# are matrices, too, but `its author recommends AdamW for them
# <https://kellerjordan.github.io/posts/muon/>`__. Muon does not take the kernels of
# convolutions, which have four dimensions.
#
# The whole loop
# --------------
# Both optimizers step after one ``backward()``. Each has its own scheduler, and both
# have to be saved. The norm for clipping is that of all parameters together.
optimizers = [muon, adamw]
schedulers = [
    torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100)
    for optimizer in optimizers
]
tokens = torch.arange(10)
wanted = (3 * tokens + 1) % 10
losses = []
for _ in range(100):
    loss = nn.functional.cross_entropy(model(tokens), wanted)
    model.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer, scheduler in zip(optimizers, schedulers, strict=True):
        optimizer.step()
        scheduler.step()
    losses.append(loss.item())
checkpoint = {
    "model": model.state_dict(),
    "optimizers": [optimizer.state_dict() for optimizer in optimizers],
    "schedulers": [scheduler.state_dict() for scheduler in schedulers],
}
print(f"{losses[0]:.1f} -> {losses[-1]:.1f}")
assert losses[-1] < 0.1
assert [optimizer.param_groups[0]["lr"] for optimizer in optimizers] == [0, 0]


# %%
# Is each parameter in exactly one optimizer?
# -------------------------------------------
# One optimizer refuses a parameter in two of its groups. Two optimizers don't know of
# each other: a parameter in both gets two steps for one gradient. A trainable parameter
# in neither gets a gradient, and stays.
def check(model, optimizers):
    held = [p for o in optimizers for group in o.param_groups for p in group["params"]]
    for name, parameter in model.named_parameters():
        count = sum(parameter is other for other in held)
        if parameter.requires_grad and count != 1:
            yield name, count


assert list(check(model, optimizers)) == []
overlapping = torch.optim.AdamW(model[1:].parameters())
print(dict(check(model, [muon, overlapping])))
assert dict(check(model, [muon, overlapping])) == {
    "0.weight": 0,
    "1.weight": 2,
}

weight = nn.Parameter(torch.ones(1))
weight.grad = torch.ones(1)
for _ in range(2):
    torch.optim.SGD([weight], lr=0.1).step()
assert round(weight.item(), 4) == 0.8


# %%
# May one ``zero_grad()`` be enough?
# ----------------------------------
# ``optimizer.zero_grad()`` clears only the parameters that this optimizer holds. The
# gradients of the other one add up over the steps. ``model.zero_grad()`` clears all.
def norm_after(steps, *, clear):
    model.zero_grad()
    for _ in range(steps):
        clear()
        nn.functional.cross_entropy(model(tokens), 0 * tokens).backward()
    return model[1].weight.grad.norm()


once = norm_after(1, clear=model.zero_grad)
for name, clear in {"adamw": adamw.zero_grad, "model": model.zero_grad}.items():
    factor = (norm_after(3, clear=clear) / once).item()
    print(f"{name}.zero_grad(): {factor:.1f}")
    assert round(factor, 4) == (3 if name == "adamw" else 1)

# %%
# Trainer, Lightning and accelerate take one optimizer: put both into one object
# ------------------------------------------------------------------------------
# ``Trainer(optimizers=(optimizer, scheduler))`` and an automatic training step expect a
# single optimizer. This class shares its groups and its state with both, so schedulers,
# ``GradScaler``, ``zero_grad()`` and ``state_dict()`` treat them as one. A scheduler
# multiplies the rate of each group, and each keeps its own.
import copy


class Both(torch.optim.Optimizer):
    def __init__(self, *optimizers):
        groups = [group for one in optimizers for group in one.param_groups]
        super().__init__(groups, {})
        self.optimizers = optimizers
        self.share()

    def share(self):
        first = 0
        for one in self.optimizers:
            last = first + len(one.param_groups)
            one.param_groups, one.state = self.param_groups[first:last], self.state
            first = last

    def load_state_dict(self, state):
        super().load_state_dict(state)
        self.share()

    def step(self, closure=None):
        loss = None
        if closure is not None:  # Lightning passes one
            with torch.enable_grad():
                loss = closure()
        for one in self.optimizers:
            one.step()
        return loss


def trained(count, state=None):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    hidden, *others = model.parameters()
    both = Both(torch.optim.Muon([hidden], lr=0.02), torch.optim.AdamW(others, lr=0.01))
    scheduler = torch.optim.lr_scheduler.LambdaLR(both, lambda step: 0.5**step)
    scaler = torch.amp.GradScaler("cpu")
    if state:
        model.load_state_dict(state["model"])
        both.load_state_dict(state["optimizer"])
    for _ in range(count):
        both.zero_grad()
        scaler.scale(model(torch.ones(8, 4)).square().mean()).backward()
        scaler.step(both)
        scaler.update()
    state = {"model": model.state_dict(), "optimizer": both.state_dict()}
    state = copy.deepcopy(state)
    rates = [group["lr"] for group in both.param_groups]
    scheduler.step()
    halved = [group["lr"] for one in both.optimizers for group in one.param_groups]
    assert halved == [rate / 2 for rate in rates]
    assert both.step(lambda: 0.5) == 0.5
    return state


straight, resumed = trained(4), trained(2, trained(2))
for name, weight in straight["model"].items():
    torch.testing.assert_close(resumed["model"][name], weight)
print(len(straight["optimizer"]["state"]), "parameters with a state")
assert len(straight["optimizer"]["state"]) == 4

# %%
# Where it ends
# -------------
# - Muon makes the update orthogonal, so its size does not depend on that of the
#   gradient, unless its norm is below ``eps``, 1e-7. A rate for AdamW is in general not
#   one for Muon, unless you pass ``adjust_lr_fn="match_rms_adamw"``.
# - A frozen matrix without a gradient is skipped, as by AdamW. With a gradient of zero,
#   the weight decay of 0.1 that Muon has by default still moves it.
# - A ``GradScaler`` steps each optimizer with ``scaler.step()``. One without a gradient
#   raises an error: :doc:`/gallery/beyond/mixed_precision`.
sizes = []
for scale in (1.0, 0.001, 1e-10):
    torch.manual_seed(0)
    weight = nn.Parameter(torch.zeros(16, 16))
    weight.grad = scale * torch.randn(16, 16)
    torch.optim.Muon([weight], lr=0.1, weight_decay=0.0).step()
    sizes.append(weight.norm().item())
assert abs(sizes[0] / sizes[1] - 1) < 0.1
assert sizes[2] < 0.5 * sizes[0]

rms = []
for adjust in ("original", "match_rms_adamw"):
    weight = nn.Parameter(torch.zeros(64, 64))
    weight.grad = torch.randn(64, 64)
    options = {"weight_decay": 0.0, "adjust_lr_fn": adjust}
    torch.optim.Muon([weight], lr=0.1, **options).step()
    rms.append(weight.square().mean().sqrt().item())
assert rms[1] / rms[0] > 1.5

frozen = nn.Parameter(torch.ones(4, 4), requires_grad=False)
muon = torch.optim.Muon([frozen], lr=0.1)
muon.step()
assert (frozen == 1).all()
frozen.grad = torch.zeros(4, 4)
muon.step()
assert (frozen < 1).all()

try:
    torch.optim.Muon(nn.Conv2d(1, 1, 3, bias=False).parameters())
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("Muon took a kernel")
assert "2D" in message

# %%
# Related: :doc:`gan_training`, :doc:`/gallery/freezing/different_learning_rates`,
# :doc:`/gallery/still-moves/stale_gradients`,
# :doc:`/reference/errors/parameters_appear_in_more_than_one_parameter_group`.
