"""
torch.func ignores requires_grad, and no_grad() splits jacrev from jacfwd
=========================================================================

In ``torch.func`` you differentiate by an argument, whatever its flag says. Inside the
function, ``detach()`` cuts in forward and in reverse mode, ``no_grad()`` in reverse
mode only.
"""

# %%
# I froze the model, and ``grad`` still gives gradients
# -----------------------------------------------------
# ``grad(f)`` differentiates by the first argument of ``f``, whatever its flag says.
import torch
from torch.func import functional_call, grad, jacfwd, jacrev

model = torch.nn.Linear(2, 1).requires_grad_(False)
x = torch.ones(1, 2)


def loss(parameters):
    return functional_call(model, parameters, (x,)).sum()


gradients = grad(loss)(dict(model.named_parameters()))
print({name: gradient.tolist() for name, gradient in gradients.items()})
assert gradients["bias"].item() == 1


# %%
# To freeze here is to pass separately
# ------------------------------------
# Two dictionaries: what is differentiated comes first, what is frozen second.
def split_loss(trained, frozen):
    return functional_call(model, (trained, frozen), (x,)).sum()


trained = {"bias": model.bias}
frozen = {"weight": model.weight}
gradients = grad(split_loss)(trained, frozen)
print(list(gradients))
assert list(gradients) == ["bias"]


# %%
# no_grad() under jacrev and jacfwd
# ---------------------------------
# The function is ``x² - c``, and ``c = x²`` is made a constant in two ways, so the
# derivative should be ``2x``. With ``no_grad()``, forward mode gives zero. It computes
# derivatives along with the values and records nothing, so there is no recording that
# ``no_grad()`` could switch off.
def with_no_grad(x):
    with torch.no_grad():
        constant = x.square()
    return x.square() - constant


def with_detach(x):
    return x.square() - x.square().detach()


point = torch.tensor([1.0, 2.0])
table = {}
for function in (with_no_grad, with_detach):
    for jacobian in (jacrev, jacfwd):
        found = jacobian(function)(point).diag().tolist()
        table[function.__name__, jacobian.__name__] = found
        print(f"{function.__name__:13}{jacobian.__name__:8}{found}")
assert table["with_no_grad", "jacrev"] == [2, 4]
assert table["with_no_grad", "jacfwd"] == [0, 0]
assert table["with_detach", "jacrev"] == table["with_detach", "jacfwd"] == [2, 4]

# %% tags=["hide-input"]
# The derivative that each pair finds at 2, where it should be 4 (line).
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5.5, 2.8), layout="constrained")
for (function, jacobian), found in table.items():
    right = found[1] == 4
    look = {"ec": "C0"} if right else {"ec": "C2", "ls": "--"}
    ax.barh(f"{function}, {jacobian}", found[1], fc="none", lw=2, **look)
    if not right:
        ax.plot(0.08, f"{function}, {jacobian}", "C2x", ms=10, mew=3)
ax.axvline(4, color="C3")
ax.set(xlabel="derivative", xlim=(0, 4.4))
ax.invert_yaxis()
plt.show()

# %%
# Around a transform, ``no_grad()`` does nothing
# ----------------------------------------------
# The transform switches recording on for itself. Inside it, flags can't be set.
with torch.no_grad():
    assert grad(lambda x: x.square().sum())(point).tolist() == [2, 4]
try:
    grad(lambda x: x.requires_grad_().sum())(point)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a flag was set in a transform")

# %%
# To freeze, pass a parameter as another argument. To cut, use ``detach()``. Source:
# :torch:`torch.func.grad`, which has a section on ``no_grad``.
#
# Related: :doc:`/gallery/three-ways/detach_is_not_no_grad`,
# :doc:`/gallery/modes/no_grad_inference_mode_enable_grad`,
# :doc:`/gallery/graph/gradients_of_some_inputs`.
