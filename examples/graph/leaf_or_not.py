"""
Why .grad is None after .to(device): the result is not a leaf
=============================================================

``backward()`` fills the ``.grad`` of leaves. ``.to()``, ``clone()``, indexing and
arithmetic make results. Convert first, and switch ``requires_grad`` on last.
"""

# %%
# ``wrong`` is the converted result. The leaf that it was made from gets the gradient,
# but no variable refers to that leaf any more.
import torch

wrong = torch.ones(2, requires_grad=True).to(torch.float64)
right = torch.ones(2).to(torch.float64).requires_grad_()
(wrong * right).sum().backward()
none, gradient = wrong.grad, right.grad
print(wrong.is_leaf, none)
print(right.is_leaf, gradient)
assert none is None
assert gradient.tolist() == [1, 1]

# %%
# Best of all, create the tensor with its dtype and its device: then there is nothing to
# convert. An optimizer refuses the result.
best = torch.ones(2, dtype=torch.float64, device="cpu", requires_grad=True)
assert best.is_leaf
try:
    torch.optim.SGD([wrong], lr=0.1)
except ValueError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a result was taken for a parameter")


# %%
# nn.Parameter(...).to("cuda") is not in parameters() and state_dict() is empty
# -----------------------------------------------------------------------------
# ``.to()``, ``.cuda()`` or a factor behind ``nn.Parameter(...)`` makes a plain tensor
# of it, and a module registers only parameters. So the optimizer does not get it, it is
# not saved, and ``module.to()`` does not move it, all without an error. Let
# ``nn.Parameter`` come last, and move the module.
class Scaled(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.wrong = torch.nn.Parameter(torch.ones(2)).to(torch.float64)
        self.also_wrong = torch.nn.Parameter(torch.ones(2)) * 0.1
        self.right = torch.nn.Parameter(0.1 * torch.ones(2))


module = Scaled().to(torch.float64)
print(list(module.state_dict()), module.wrong.is_leaf)
assert list(module.state_dict()) == ["right"]
assert [name for name, _ in module.named_parameters()] == ["right"]
assert module.wrong.requires_grad
assert not isinstance(module.wrong, torch.nn.Parameter)
assert module.right.dtype == torch.float64
assert module.also_wrong.dtype == torch.float32

# %%
# Which of these are leaves?
# --------------------------
# A tensor that requires no gradient is a leaf, since no operation was recorded for it.
# A tensor that requires one is a result if a recorded operation made it or changed it
# in place, and a leaf otherwise.
data = torch.ones(2)
leaf = torch.ones(2, requires_grad=True)
parameter = torch.nn.Parameter(torch.ones(2))
with torch.no_grad():
    unrecorded = leaf * 2
tensors = {
    "data": data,
    "data * 2": data * 2,
    "leaf": leaf,
    "leaf * 2": leaf * 2,
    "no_grad: leaf * 2": unrecorded,
    "leaf[0]": leaf[0],
    "leaf.clone()": leaf.clone(),
    "leaf.double()": leaf.double(),
    "leaf.float()": leaf.float(),
    "leaf.detach()": leaf.detach(),
    "parameter": parameter,
    "parameter * 1": parameter * 1,
}
print("is_leaf  requires_grad")
for name, tensor in tensors.items():
    print(f"{tensor.is_leaf!s:7}  {tensor.requires_grad!s:13}  {name}")
results = {name for name, tensor in tensors.items() if not tensor.is_leaf}
assert results == {
    "leaf * 2",
    "leaf[0]",
    "leaf.clone()",
    "leaf.double()",
    "parameter * 1",
}
assert all(t.is_leaf for t in tensors.values() if not t.requires_grad)

# %% tags=["hide-input"]
# Square: a leaf that requires a gradient, and so gets a ``.grad``. Cross: a result.
# Dot: a leaf that requires none.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3.6), layout="constrained")
for name, tensor in tensors.items():
    if not tensor.is_leaf:
        ax.scatter("result", name, marker="x", s=120, lw=2, c="C2")
    elif tensor.requires_grad:
        ax.scatter("leaf", name, marker="s", s=120, lw=2, fc="none", ec="C0")
    else:
        ax.scatter("leaf", name, marker=".", s=120, c="C1")
ax.margins(0.4, 0.08)
ax.invert_yaxis()
plt.show()

# %%
# Can a module be moved?
# ----------------------
# Yes: by default, ``to()`` converts the data of each parameter and keeps the parameter
# object, so an optimizer that was made before still has the right ones.
linear = torch.nn.Linear(2, 1)
weight = linear.weight
linear.to(torch.float64)
assert linear.weight is weight
assert weight.is_leaf
assert weight.dtype == torch.float64

# %% tags=["hide-input"]
# Where it ends
# -------------
# - ``to()`` returns the leaf itself if there is nothing to convert. So on a machine
#   without a GPU the wrong line works, unless ``copy=True`` asks for a copy.
# - A result that retains its gradient has a ``.grad``, too, and an optimizer accepts
#   it. With ``differentiable=True`` it accepts any result. But its step does not change
#   the leaf.
# - A parameter, too, is a result after a recorded operation has changed it in place.
# - A module that moves to the device ``meta`` gets new parameters, which are leaves.
assert leaf.float() is leaf
assert leaf.to("cpu") is leaf
assert not leaf.to("cpu", copy=True).is_leaf

result = leaf * 2
result.retain_grad()
result.sum().backward()
assert result.grad.tolist() == [1, 1]
torch.optim.SGD([result], lr=0.1).step()
assert result.tolist() != [2, 2]
assert leaf.tolist() == [1, 1]
assert torch.optim.SGD([leaf * 2], lr=0.1, differentiable=True)

frozen = torch.nn.Parameter(torch.ones(2), requires_grad=False)
frozen.mul_(leaf)
assert not frozen.is_leaf

assert linear.to("meta").weight is not weight
assert linear.weight.is_leaf

# %%
# Move the module, not its tensors. Create a tensor of your own on its device, or switch
# ``requires_grad`` on last.
#
# Related: :doc:`retain_grad`, :doc:`what_drops_the_graph`. Source:
# :torch:`torch.Tensor.is_leaf`.
