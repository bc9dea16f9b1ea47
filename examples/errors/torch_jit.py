"""
``torch.jit.script is deprecated. Please switch to torch.compile or torch.export``
==================================================================================

TorchScript is deprecated: ``torch.jit.script()``, ``trace()`` and ``freeze()`` give
such a warning, and still work up to Python 3.13. In new code, use ``torch.export`` for
a program that you save or deploy, ``torch.compile`` to make a model faster.
"""

# %%
import warnings

import torch

layer, x = torch.nn.Linear(2, 1), torch.ones(1, 2)

# Wrong: TorchScript (Python hides the warning of PyTorch 2.13)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    scripted = torch.jit.script(layer)
for warning in caught:
    print(f"{warning.category.__name__}: {warning.message}")

# Right: an exported program, as a module
exported = torch.export.export(layer, (x,)).module()
print(torch.equal(exported(x), scripted(x)))
assert torch.equal(exported(x), layer(x))

# %%
# torch.jit.trace and torch.jit.freeze
# ------------------------------------
# For ``trace()`` there are the same two replacements, for ``freeze()`` only
# ``torch.compile``. A compiled model needs no script before, and keeps its parameters,
# which ``torch.jit.freeze()`` turns into constants. The backend ``eager`` compiles
# nothing, so that this page needs no C++ compiler: leave it out.
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    traced = torch.jit.trace(layer, x)
    # Wrong: constants instead of parameters
    frozen = torch.jit.freeze(scripted.eval())

# Right: the parameters of the layer
compiled = torch.compile(layer, backend="eager")
for model in (traced, frozen, compiled):
    torch.testing.assert_close(model(x), layer(x))
print([len(list(model.parameters())) for model in (frozen, compiled)])
assert not list(frozen.parameters())
assert set(compiled.parameters()) == set(layer.parameters())

# %%
# From Python 3.14 on, the text is another one (quoted from the `source of PyTorch 2.13
# <https://github.com/pytorch/pytorch/blob/v2.13.0/torch/jit/_script.py>`__, not run):
# ```torch.jit.script` is not supported in Python 3.14+ and may break. Please switch to
# `torch.compile` or `torch.export`.``
#
# Read on: :doc:`/gallery/beyond/compile_trace_export`.
