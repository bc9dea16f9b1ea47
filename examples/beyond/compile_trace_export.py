"""
jit.trace drops no_grad(), and torch.compile compiles again when you freeze
===========================================================================

A trace is a list of operations. ``with torch.no_grad()`` is not an operation, so it is
lost, and the gradients that it cut pass again. ``detach()`` is an operation and is
kept.
"""

# %%
# Of three terms, only ``x`` should count. The gradient should be 1.
import torch


def function(x):
    with torch.no_grad():
        lost = x * 10
    kept = (x * 100).detach()
    return x + lost + kept


x = torch.ones(1, requires_grad=True)
traced = torch.jit.trace(function, x)
for way in (function, traced):
    (gradient,) = torch.autograd.grad(way(x), x)
    print(gradient.item())


# %%
# Which tools keep a no_grad()?
# -----------------------------
# ``torch.compile`` and ``torch.export`` do. A compiled function switches the grad mode
# itself, an exported one has a submodule for the block.
class Model(torch.nn.Module):
    def forward(self, x):
        return function(x)


def gradient_of(way):
    (gradient,) = torch.autograd.grad(way(x).sum(), x)
    return gradient.item()


example = (torch.ones(1),)
exported = torch.export.export(Model(), example)
ways = {
    "eager": Model(),
    "torch.compile": torch.compile(Model(), backend="eager"),
    "torch.export": exported.module(),
    "torch.fx": torch.fx.symbolic_trace(Model()),
    "torch.jit.trace": torch.jit.trace(Model(), example),
}
found = {way: gradient_of(module) for way, module in ways.items()}
for way, value in found.items():
    print(f"{way:17}{value}")
assert found == {
    "eager": 1,
    "torch.compile": 1,
    "torch.export": 1,
    "torch.fx": 11,
    "torch.jit.trace": 11,
}

# %% tags=["hide-input"]
# The gradient that each way gives, where 1 (line) is right.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5.5, 2.8), layout="constrained")
for way, value in found.items():
    look = {"ec": "C0"} if value == 1 else {"ec": "C2", "ls": "--"}
    ax.barh(way, value, fc="none", lw=2, **look)
    if value != 1:
        ax.plot(value + 0.5, way, "C2x", ms=10, mew=3)
ax.axvline(1, color="C3")
ax.set(xlabel="gradient", xlim=(0, 13))
ax.invert_yaxis()
plt.show()

# %%
# Does a compiled model see that I froze a layer?
# -----------------------------------------------
# Yes (:since:`2.12`; before, a graph was used again when only ``requires_grad`` of
# parameters had changed, `issue 139476
# <https://github.com/pytorch/pytorch/issues/139476>`__: freeze before the first call,
# or call ``torch.compiler.reset()`` after each change, which compiles everything
# again). Each new pattern of ``requires_grad`` costs a compilation, a known one costs
# none. The backend here only counts the graphs that it is given, so no C++ compiler is
# needed.
graphs = []


def count(graph, inputs):
    graphs.append(graph)
    return graph


torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 2))
compiled = torch.compile(model, backend=count)
batch = torch.ones(2, 4)
compiled(batch).sum().backward()
compiled(batch).sum().backward()
counts = [len(graphs)]

model.zero_grad()
model[0].requires_grad_(False)
compiled(batch).sum().backward()
counts.append(len(graphs))
print(model[0].weight.grad, model[1].weight.grad is not None)
assert model[0].weight.grad is None
assert model[1].weight.grad is not None

model[0].requires_grad_(True)
compiled(batch).sum().backward()
counts.append(len(graphs))
with torch.no_grad():
    compiled(batch)
counts.append(len(graphs))
print(counts)
assert counts == [1, 2, 2, 3], "before PyTorch 2.12, freezing compiles nothing"

# %%
# The ``requires_grad`` of an input is checked, too, even if the network is frozen. The
# first input that requires a gradient costs one more compilation. After it, the result
# of an operation that requires one costs none.
torch.compiler.reset()
graphs.clear()
frozen = torch.nn.Linear(4, 2).requires_grad_(False)
compiled, counts = torch.compile(frozen, backend=count), []
asked = batch.clone().requires_grad_()
for value in (batch, asked, asked * 1, batch):
    compiled(value)
    counts.append(len(graphs))
print(counts)
assert counts == [1, 2, 2, 2]

# %%
# The log says ``requires_grad mismatch. expected requires_grad=0``
# -----------------------------------------------------------------
# With ``TORCH_LOGS=recompiles`` the log names this reason. You meet it if you compile
# the blocks of a model with LoRA one by one: the output of the frozen embedding
# requires no gradient, that of the first block does. So the second block is compiled
# again, and the others use that code. Accept it, or let the output of the embedding
# require a gradient, as ``model.enable_input_require_grads()`` does in the library
# transformers. Then the first block also computes the gradient of its input, which
# nothing uses. ``error_on_recompile`` makes an error of the second compilation:


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.frozen = torch.nn.Linear(4, 4).requires_grad_(False)
        self.down = torch.nn.Linear(4, 2, bias=False)
        self.up = torch.nn.Linear(2, 4, bias=False)

    def forward(self, x):
        return self.frozen(x) + self.up(self.down(x))


embedding = torch.nn.Embedding(8, 4).requires_grad_(False)
for asks in (False, True):
    torch.compiler.reset()
    graphs.clear()
    blocks, counts = [torch.compile(Block(), backend=count) for _ in range(4)], []
    hidden = embedding(torch.arange(3)).requires_grad_(asks)
    for block in blocks:
        hidden = block(hidden)
        counts.append(len(graphs))
    print(counts)
    assert counts == ([1, 1, 1, 1] if asks else [1, 2, 2, 2])

torch.compiler.reset()
blocks = [torch.compile(Block(), backend=count) for _ in range(2)]
with torch._dynamo.config.patch(error_on_recompile=True):
    try:
        blocks[1](blocks[0](embedding(torch.arange(3))))
    except torch._dynamo.exc.RecompileError as error:
        reason = str(error).splitlines()[-1].split(": ")[-1]
    else:
        raise AssertionError("the second block used the code of the first")
print(reason)
assert "requires_grad mismatch. expected requires_grad=0" in reason
torch.compiler.reset()

# %%
# If you unfreeze layer by layer, you may meet a limit: after eight patterns, new ones
# run uncompiled, and only the log says so. With ``fullgraph=True`` they raise
# ``FailOnRecompileLimitHit``. Set the limit to the number of your stages.
assert torch._dynamo.config.recompile_limit == 8


# %%
# requires_grad_() inside a function that torch.compile has compiled
# ------------------------------------------------------------------
# As a rule it is not compiled: it runs outside of the graph, which costs a second
# graph, or raises with ``fullgraph=True``. An old version dropped it without an error:
# ``requires_grad`` printed False, and the gradient was lost (`issue 123713
# <https://github.com/pytorch/pytorch/issues/123713>`__ of 2024, not run; 2.6 and later
# print True). Compile the networks one by one, and put ``no_grad()`` and
# ``requires_grad_()`` between them, outside of compiled code.
first, second = torch.nn.Linear(4, 4), torch.nn.Linear(4, 2)


def joined(batch):
    with torch.no_grad():
        hidden = first(batch)
    hidden.requires_grad_()
    return second(hidden).sum(), hidden.requires_grad


graphs.clear()
_, found = torch.compile(joined, backend=count)(batch)
print(found, len(graphs))
assert found
assert len(graphs) == 2
try:
    torch.compile(joined, backend="eager", fullgraph=True)(batch)
except torch._dynamo.exc.Unsupported as error:
    message = str(error)
else:
    raise AssertionError("requires_grad_() was compiled")
assert "requires_grad_()" in message
# Right: between two compiled networks.
with torch.no_grad():
    hidden = torch.compile(first, backend="eager")(batch)
hidden.requires_grad_()
torch.compile(second, backend="eager")(hidden).sum().backward()
assert hidden.grad is not None
torch.compiler.reset()

# %%
# torch.compile ignores the backward of my autograd.Function
# ----------------------------------------------------------
# Before PyTorch 2.15 it does so, without an error, under ``grad``, ``vjp``, ``jacrev``
# and ``jvp`` of ``torch.func`` in compiled code: the operations of ``forward()`` are
# differentiated by their own rules (`issue 193279
# <https://github.com/pytorch/pytorch/issues/193279>`__). Compare the gradient with that
# of the code that is not compiled. Call the function through
# ``torch.compiler.allow_in_graph``, or take the gradient with ``torch.autograd.grad``
# or ``backward()``.
from torch.func import grad


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(x):
        return x.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, gradient):
        return -gradient


@torch.compiler.allow_in_graph
def reverse(x):
    return Reverse.apply(x)


def with_autograd(x):
    (gradient,) = torch.autograd.grad(Reverse.apply(x).sum(), x)
    return gradient


transforms = {
    "grad(Reverse)": grad(lambda x: Reverse.apply(x).sum()),
    "allow_in_graph": grad(lambda x: reverse(x).sum()),
    "autograd.grad": with_autograd,
}
for way, transform in transforms.items():
    compiled = torch.compile(transform, backend="eager")
    found = transform(x).item(), compiled(x).item()
    print(way, *found)
    is_lost = way == "grad(Reverse)" and torch.__version__ < "2.15"
    assert found == (-1, 1 if is_lost else -1)


# %% tags=["hide-input"]
# Where it ends
# -------------
# - ``torch.export`` loses ``inference_mode()``.
# - ``run_decompositions()`` of an exported program drops both ``no_grad()`` and
#   ``detach()``. The program that it returns is for inference.
# - ``torch.jit.script`` keeps ``with torch.no_grad()``.
# - A compiled model does not follow ``requires_grad`` if its checks are switched off: a
#   layer that was frozen when it was compiled gets no gradient. It was so before
#   PyTorch 2.12, with the default backend and others that use AOTAutograd.
import warnings


class InferenceMode(torch.nn.Module):
    def forward(self, x):
        with torch.inference_mode():
            lost = x * 10
        return x + lost.clone()


class Scripted(torch.nn.Module):
    def forward(self, x):
        with torch.no_grad():
            kept = x * 10
        return x + kept


assert gradient_of(InferenceMode()) == 1
assert gradient_of(torch.export.export(InferenceMode(), example).module()) == 11
with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    decomposed = exported.run_decompositions()
assert gradient_of(decomposed.module()) == 111
assert gradient_of(torch.jit.script(Scripted())) == 1


def freezes(batch):
    model[1].requires_grad_(False)
    return model(batch)


try:
    torch.compile(freezes, backend="eager", fullgraph=True)(batch)
except torch._dynamo.exc.Unsupported as error:
    message = str(error)
else:
    raise AssertionError("requires_grad_() was compiled")
assert "requires_grad_()" in message
torch.compiler.reset()
torch.compile(freezes, backend="eager")(batch)
assert not model[1].weight.requires_grad

for unchecked in (False, True):
    torch.compiler.reset()
    layer = torch.nn.Linear(1, 1).requires_grad_(False)
    compiled = torch.compile(layer, backend="aot_eager")
    compiled(x).backward()
    layer.requires_grad_(True)
    with torch.compiler.set_stance(skip_guard_eval_unsafe=unchecked):
        compiled(x).backward()
    assert (layer.weight.grad is None) == unchecked

# %%
# In code that is traced, cut with ``detach()``. If you freeze before the first call of
# a compiled model, the freeze costs no second compilation. Sources:
# :torch:`torch.compile`, :torch:`torch.export <user_guide/torch_compiler/export.html>`.
#
# Related: :doc:`func_and_functional_call`, :doc:`quantised_and_scripted`,
# :doc:`/gallery/three-ways/detach_is_not_no_grad`.
