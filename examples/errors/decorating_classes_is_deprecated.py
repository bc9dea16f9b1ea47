"""
``Decorating classes is deprecated and will be disabled in future versions``
============================================================================

On a class, ``no_grad()`` switches recording off while an object is created, and its
methods still record. Decorate ``forward()``, or the function that calls the model.
"""

# %%
import torch
from torch import nn


# Wrong: covers Wrong(), not its forward
@torch.no_grad()
class Wrong(nn.Linear):
    pass


# Right: covers the forward
class Right(nn.Linear):
    @torch.no_grad()
    def forward(self, x):
        return super().forward(x)


x = torch.ones(1, 2)
print(Wrong(2, 1)(x).requires_grad, Right(2, 1)(x).requires_grad)
assert Wrong(2, 1)(x).requires_grad
assert not Right(2, 1)(x).requires_grad

# %%
# The decorated class is a function, so it can't be a base class or an argument of
# ``isinstance()``. ``enable_grad()`` and ``inference_mode()`` give the same warning.
import warnings

print(type(Wrong).__name__)
assert not isinstance(Wrong, type)
for mode in (torch.enable_grad, torch.inference_mode):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mode()(nn.Linear)
    assert str(caught[0].message).startswith("Decorating classes is deprecated")

# %%
# Read on: :doc:`/gallery/modes/no_grad_as_decorator`.
