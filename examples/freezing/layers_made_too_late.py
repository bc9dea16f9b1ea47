"""
A layer made in the forward or in the loss does not train
=========================================================

A layer made inside ``forward()`` is new and random in each call. One made in the first
call is missing in an optimizer built before. Make layers in ``__init__``.
"""

# %%
import torch
from torch import nn

torch.manual_seed(0)


def wrong(features):
    return nn.Linear(4, 1)(features)


right = nn.Linear(4, 1)
features = torch.ones(1, 4)
for name, head in (("wrong", wrong), ("right", right)):
    same = head(features).equal(head(features))
    print(f"{name}: {same=}")
    assert same == (head is right)

# %%
# The same holds in a loss: a projection or a classifier that is made in each call never
# learns. ``backward()`` computes its gradient, and both are dropped after the call.
# What comes *before* it is trained, but against random weights.
#
# Made in the first call: too late for the optimizer
# --------------------------------------------------
# The size of the input is known only in the forward, so the layer is made there, once.
# It is registered, printed and saved, but the optimizer was built before it.


class Late(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(2, 4), None

    def forward(self, x):
        hidden = self.body(x).relu()
        if self.head is None:
            self.head = nn.Linear(hidden.shape[1], 1)
        return self.head(hidden)


model, x = Late(), torch.randn(8, 2)
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
for _ in range(3):
    optimizer.zero_grad()
    model(x).square().mean().backward()
    before = [p.clone() for p in (model.body.weight, model.head.weight)]
    optimizer.step()
    now = [model.body.weight, model.head.weight]
    moved = [not old.equal(new) for old, new in zip(before, now, strict=True)]
    assert moved == [True, False]
print(moved, "head.weight" in model.state_dict())
assert "head.weight" in model.state_dict()

# %%
# How do I find such a layer?
# ---------------------------
# :py:func:`gradguide.explain` names parameters that get a gradient and are in no
# optimizer. Their gradient is not cleared, either, by ``optimizer.zero_grad()``.
from gradguide import explain

report = explain(model, lambda: model(x).square().mean(), optimizer)
print(report)
assert {row.name: row.verdict for row in report.problems} == {
    "head.weight": "not in optimizer",
    "head.bias": "not in optimizer",
}

# %%
# What to do if the size is not known
# -----------------------------------
# Three ways: run one batch before you build the optimizer, use a lazy layer (it needs
# that batch, too), or compute the size, on the device ``meta`` without any work. If the
# layer has to come later, add its parameters to the optimizer.
model = Late()
with torch.no_grad():
    model(x)
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
assert len(optimizer.param_groups[0]["params"]) == 4

lazy = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.LazyLinear(1))
with torch.no_grad():
    lazy(x)
assert lazy[2].in_features == 4

body = nn.Sequential(nn.Conv2d(1, 3, 3, stride=2), nn.Flatten())
with torch.device("meta"):
    width = nn.Sequential(nn.Conv2d(1, 3, 3, stride=2), nn.Flatten())
    size = width(torch.empty(1, 1, 28, 28)).shape[1]
print(size)
assert size == body(torch.zeros(1, 1, 28, 28)).shape[1] == 507

model = Late()
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
model(x)
optimizer.add_param_group({"params": model.head.parameters()})
held = [p for group in optimizer.param_groups for p in group["params"]]
assert len(held) == len(list(model.parameters())) == 4

# %%
# Where it ends
# -------------
# - Layers without parameters, such as ``nn.ReLU()`` or ``nn.MSELoss()``, may be made in
#   the forward. ``nn.Dropout(0.5)`` and ``nn.RReLU()`` may not: a new module is in
#   training mode, also after ``model.eval()``. Nor may a batch norm, whose statistics
#   begin anew.
# - A layer that is made in the forward is on the default device, whatever device the
#   model is on.
# - A *lazy* layer may be given to Adam before it has its size: its parameters stay the
#   same objects. Adagrad, which makes its state at once, raises an error.


def forward(x):
    return nn.Dropout(0.5)(x)


assert not list(nn.MSELoss().parameters())
assert (forward(torch.ones(1000)) == 0).any()
assert not nn.RReLU()(-torch.ones(9)).equal(nn.RReLU().eval()(-torch.ones(9)))
on_meta = nn.Linear(2, 4, device="meta")
assert nn.Linear(4, 1).weight.device == torch.get_default_device()
assert on_meta.weight.device != torch.get_default_device()
module = nn.Dropout(0.5).eval()
assert (module(torch.ones(1000)) == 1).all()

lazy = nn.Sequential(nn.LazyLinear(1))
early = torch.optim.Adam(lazy.parameters(), lr=0.1)
lazy(x).sum().backward()
before = lazy[0].weight.clone()
early.step()
assert not lazy[0].weight.equal(before)
try:
    torch.optim.Adagrad(nn.LazyLinear(1).parameters())
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("a state was made without a size")
assert "Attempted to use an uninitialized parameter" in message

# %%
# Make all layers before the optimizer. It should hold as many trainable parameters as
# the model and the loss have.
#
# Related: :doc:`/gallery/recipes/losses_with_parameters`,
# :doc:`parametrized_and_lazy_layers`, :doc:`unfreeze_gradually`,
# :doc:`/reference/errors/optimizer_got_an_empty_parameter_list`.
