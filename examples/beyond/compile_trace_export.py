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
# needed. This holds for ``requires_grad``, not for every change of a module: hooks
# follow below.
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
# A hook registered after torch.compile does not run: module hooks are not checked
# --------------------------------------------------------------------------------
# Register the hooks of modules before the first call of the compiled function. A hook
# that you register later on a module inside of it is ignored without an error, be it a
# forward hook, a pre-hook or a backward hook, until something else makes
# ``torch.compile`` compile again: the compiled code does not check whether the modules
# in it have new hooks. If it has to be later, call ``torch.compiler.reset()`` after it,
# or set ``torch._dynamo.config.skip_nnmodule_hook_guards = False`` at the beginning, so
# that the hooks are checked in each call (`issue 117265
# <https://github.com/pytorch/pytorch/issues/117265>`__). A hook on a parameter, or on
# the output of the compiled function, runs also if you register it later.
register_names = (
    "register_forward_pre_hook",
    "register_forward_hook",
    "register_full_backward_pre_hook",
    "register_full_backward_hook",
)


def calls_of(register, way):
    torch.compiler.reset()
    layer, calls = torch.nn.Linear(4, 2), []
    compiled = torch.compile(torch.nn.Sequential(layer), backend="eager")
    checks = way == "skip_nnmodule_hook_guards = False"
    with torch._dynamo.config.patch(skip_nnmodule_hook_guards=not checks):
        if way != "before the first call":
            compiled(asked)
        if register != "of the output":
            owner = layer.weight if register == "register_hook" else layer
            getattr(owner, register)(lambda *_: calls.append(1))
        if way == "reset()":
            torch.compiler.reset()
        output = compiled(asked[:1] if way == "another shape" else asked)
        if register == "of the output":
            output.register_hook(lambda _: calls.append(1))
        output.sum().backward()
    return len(calls)


for way in (
    "before the first call",
    "after it",
    "another shape",
    "reset()",
    "skip_nnmodule_hook_guards = False",
):
    runs = [calls_of(name, way) for name in register_names]
    print(f"{way:34}{runs}")
    assert runs == ([0] * 4 if way == "after it" else [1] * 4)
assert calls_of("register_hook", "after it") == 1
assert calls_of("of the output", "after it") == 1
torch.compiler.reset()

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
# torch.compile under no_grad() recompiles: ``requires_grad mismatch`` at inference
# ---------------------------------------------------------------------------------
# The ``requires_grad`` of each tensor that the function gets is checked, even under
# ``no_grad()`` or ``inference_mode()``, where the result does not depend on it. So a
# call with another pattern compiles again. Each input can
# double the number of patterns, and after eight of them new ones run uncompiled. Keep
# it the same from call to call: hand in ``x.detach()``, which copies nothing. It has
# to be outside of the compiled function; a ``detach()`` or ``no_grad()`` inside comes
# after the check. Or freeze before the first call, and compile one function for
# training and one for inference
# (`issue 131975 <https://github.com/pytorch/pytorch/issues/131975>`__).


def doubled(x):
    return (x * 2).clip(0)


trained, counts = batch.clone().requires_grad_(), {}
ways = {
    "as it is": lambda x, compiled: compiled(x),
    "detach()": lambda x, compiled: compiled(x.detach()),
}
for mode in (torch.no_grad, torch.inference_mode):
    for way, call in ways.items():
        torch.compiler.reset()
        graphs.clear()
        compiled = torch.compile(doubled, backend=count)
        with mode():
            for value in (batch, trained, batch):
                call(value, compiled)
        counts[mode.__name__, way] = len(graphs)
print(list(counts.values()))
assert list(counts.values()) == [2, 1, 2, 1]
torch.compiler.reset()

# %%
# If you unfreeze layer by layer, you may meet a limit: after eight patterns, new ones
# run uncompiled, and only the log says so. With ``fullgraph=True`` they raise
# ``FailOnRecompileLimitHit``. Set the limit to the number of your stages.
assert torch._dynamo.config.recompile_limit == 8


# %%
# ``_orig_mod.`` after torch.compile: freeze by name, save and load
# -----------------------------------------------------------------
# ``torch.compile(model)`` returns a wrapper that shares the parameters, and puts
# ``_orig_mod.`` before each name. So a loop over ``named_parameters()`` of the wrapper
# with ``name.startswith("0.")`` freezes nothing, without an error, and a saved
# ``state_dict()`` does not fit the plain model: ``Missing key(s) in state_dict``,
# ``Unexpected key(s) in state_dict: "_orig_mod.…"``. Keep the plain model: freeze and
# save with ``model``, and call ``compiled``. Or compile in place, with
# ``model.compile()``, which changes no name. A file with the prefix is repaired with
# ``removeprefix()``. The optimizer may get the parameters of either.
plain = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 2))
wrapper = torch.compile(plain, backend="eager")
for name, parameter in wrapper.named_parameters():
    parameter.requires_grad_(not name.startswith("0."))  # wrong
assert all(p.requires_grad for p in plain.parameters())
for name, parameter in plain.named_parameters():
    parameter.requires_grad_(not name.startswith("0."))  # right
wrapper(batch).sum().backward()
print([n for n, p in wrapper.named_parameters() if p.grad is not None])
assert plain[0].weight.grad is None
assert plain[1].weight.grad is not None
saved = wrapper.state_dict()
try:
    plain.load_state_dict(saved)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("names with a prefix were loaded")
assert 'Unexpected key(s) in state_dict: "_orig_mod.0.weight"' in message
plain.load_state_dict({n.removeprefix("_orig_mod."): t for n, t in saved.items()})
in_place = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 2))
in_place.compile(backend="eager")
assert list(in_place.state_dict()) == list(plain.state_dict())
assert wrapper.get_parameter("_orig_mod.0.weight") is plain[0].weight
torch.compiler.reset()

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


# %%
# torch.export of a module that calls torch.autograd.grad: forces, scores, penalties
# ----------------------------------------------------------------------------------
# ``torch.export`` does not capture the backward pass.
#
# - Export only the energy or the score, and differentiate the exported module outside.
# - Where no autograd runs, as in AOTInductor, first turn both passes into plain
#   operations with ``make_fx``, and export these, as `NequIP does
#   <https://github.com/pytorch/pytorch/issues/155605>`__. Shapes are constants in it,
#   unless you trace with ``tracing_mode="symbolic"`` and
#   ``_allow_non_fake_inputs=True``.
# - ``torch.compile`` needs no change: it interrupts its graph at ``autograd.grad``, and
#   with ``fullgraph=True`` it compiles ``torch.func.grad``.
#
# Depending on the version, the operations and ``strict``, the error is ``element 0 of
# tensors does not require grad`` (the input of the export requires no gradient),
# ``Unsupported`` (``skip function grad``, or ``using torch.autograd.grad``), or ``We
# found a fake tensor in the exported program constant's list``, for a tensor that an
# operation such as ``tanh`` has saved. With ``square`` or ``sin`` it may even work.
# ``torch.func.grad`` inside the module works for some such operations in PyTorch 2.13
# and 2.15, and fails with a linear layer. :torch:`torch.export
# <user_guide/torch_compiler/export.html>` itself is for inference (`issue 125984
# <https://github.com/pytorch/pytorch/issues/125984>`__).
from torch.fx.experimental.proxy_tensor import make_fx


class Force(torch.nn.Module):
    def __init__(self, energy):
        super().__init__()
        self.energy = energy

    def forward(self, x):
        (slope,) = torch.autograd.grad(self.energy(x).sum(), x)
        return -slope


torch.manual_seed(0)
energy = torch.nn.Sequential(
    torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1)
)
energy.requires_grad_(False)
places, other = torch.randn(2, 5, 2)
expected = Force(energy)(other.clone().requires_grad_())
# Wrong: the backward pass is inside of the exported module.
for asks in (False, True):
    given = (places.clone().requires_grad_(asks),)
    try:
        torch.export.export(Force(energy), given)
    except RuntimeError as error:
        print(str(error)[:70])
    else:
        raise AssertionError("the backward pass was exported")
# Right: export the energy, differentiate outside.
outside = Force(torch.export.export(energy, (places,)).module())
torch.testing.assert_close(outside(other.clone().requires_grad_()), expected)
# Right: both passes as plain operations, which need no autograd.
plain = make_fx(Force(energy))(places.clone().requires_grad_())
with torch.no_grad():
    whole = torch.export.export(plain, (places,)).module()
    torch.testing.assert_close(whole(other), expected)
of_any_size = make_fx(
    Force(energy), tracing_mode="symbolic", _allow_non_fake_inputs=True
)(places.clone().requires_grad_())
torch.testing.assert_close(of_any_size(other[:3]), expected[:3])

# %%
# ``Error: accessing tensor output of CUDAGraphs that has been overwritten``
# --------------------------------------------------------------------------
# (``by a subsequent run``.) With ``mode="reduce-overhead"`` or ``"max-autotune"``, the
# compiled code replays CUDA graphs, which write their results to the same memory in
# each run. What you keep from one run to the next is overwritten:
#
# - *An output*: ``clone()`` it outside of the compiled function, and call
#   ``torch.compiler.cudagraph_mark_step_begin()`` before each step.
# - *The gradients, with gradient accumulation*: where ``.grad`` is None, the first
#   backward pass makes the memory of the graph ``.grad``, and a ``clone()`` of outputs
#   does not help (``accessing gradient tensor output of CUDAGraphs`` in newer versions;
#   `issue 169545 <https://github.com/pytorch/pytorch/issues/169545>`__). Allocate each
#   ``.grad`` as zeros before the first call, and keep it with
#   ``zero_grad(set_to_none=False)``. Or copy in a hook of each parameter,
#   ``p.register_hook(torch.clone)``.
# - Or do without CUDA graphs: the default mode, or ``"max-autotune-no-cudagraphs"``.
#
# Without accumulation, ``zero_grad()``, which sets ``.grad`` to None, before each
# ``backward()`` is enough. Some versions raise nothing, and ``.grad`` is that of the
# last batch (`issue 96693 <https://github.com/pytorch/pytorch/issues/96693>`__) or
# wrong in another way, as with ``torch.cuda.make_graphed_callables`` (`issue 181723
# <https://github.com/pytorch/pytorch/issues/181723>`__): compare the gradients of two
# steps with those of eager mode. CUDA graphs are not run here, without a GPU. What is
# run is the cause: a function that returns its gradient in one buffer, as a graph does.
buffer = torch.zeros(2)


class Replayed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight, scale):
        ctx.scale = scale
        return (weight * scale).sum()

    @staticmethod
    def backward(ctx, gradient):
        buffer.copy_(gradient * ctx.scale)  # the next run overwrites it
        return buffer.detach(), None


accumulated = {}
for way in (".grad is None", "zeros first", "register_hook(torch.clone)"):
    weight = torch.ones(2, requires_grad=True)
    if way == "zeros first":
        weight.grad = torch.zeros_like(weight)
    if way == "register_hook(torch.clone)":
        weight.register_hook(torch.clone)
    for scale in (1, 3):
        Replayed.apply(weight, scale).backward()
    accumulated[way] = weight.grad.tolist()
    print(f"{way:28}{accumulated[way]}")
assert list(accumulated.values()) == [[6, 6], [4, 4], [4, 4]]
unused = torch.nn.Linear(1, 1)
torch.optim.SGD(unused.parameters()).zero_grad(set_to_none=False)
assert unused.weight.grad is None  # None stays None: allocate it yourself

# %%
# train() and eval() of an exported module: ``Calling eval() is not supported yet``
# ---------------------------------------------------------------------------------
# ``torch.export`` writes into the graph what the modes are at that moment: dropout that
# drops or does not, batch norm with the statistics of the batch or with the running
# ones. So ``train()`` and ``eval()`` of ``exported.module()`` raise. A call that avoids
# the exception changes only ``.training``, which the graph does not read. Export once
# in each mode. If parts stay frozen, set their batch norm to ``eval()`` before the
# export for training. Both modules have the parameters and the buffers of the model, so
# you train with one and validate with the other.
network = torch.nn.Sequential(
    torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 64), torch.nn.Dropout()
)
modules = {
    mode: torch.export.export(network.train(mode), (batch,)).module()
    for mode in (True, False)
}
for change in (modules[True].eval, modules[True].train):
    try:
        change()
    except NotImplementedError as error:
        print(error)
    else:
        raise AssertionError("the mode of an exported module was changed")
# Wrong: the exception is gone, and dropout still drops.
torch.nn.Module.train(modules[True], False)
assert not modules[True].training
with torch.no_grad():
    drops = {mode: bool((module(batch) == 0).any()) for mode, module in modules.items()}
print(drops)
assert drops == {True: True, False: False}
# The weights and buffers are shared, and requires_grad_() needs no new export.
for module in modules.values():
    assert module.get_parameter("1.weight") is network[1].weight
    assert module.get_buffer("0.running_mean") is network[0].running_mean
assert network[0].running_mean.any()
network.requires_grad_(False)
assert not modules[True](batch).requires_grad

# %%
# For a model that you quantise after the export (PT2E), torchao has
# ``move_exported_model_to_eval()`` and ``move_exported_model_to_train()``. They rewrite
# the dropout and batch norm that they find in the graph (read in `its source
# <https://github.com/pytorch/ao/blob/main/torchao/quantization/pt2e/export_utils.py>`__,
# not run).
#
# torch.export: ``a leaf Variable that requires grad``, although under no_grad()
# ------------------------------------------------------------------------------
# The forward updates a parameter in place under ``no_grad()``, for instance as a moving
# average, which works in eager mode. ``torch.export`` of August 2025 traced the change
# as if it were recorded, and raised ``a leaf Variable that requires grad is being used
# in an in-place operation`` (`issue 159623
# <https://github.com/pytorch/pytorch/issues/159623>`__, not run). PyTorch 2.13 exports
# it, so upgrade.
#
# In PyTorch 2.13, two other forms still fail:
#
# - A change under ``inference_mode()``. The export loses the mode, and the exported
#   module raises the error when you call it.
# - A change in place of ``.data``. With ``strict=False``, the default, the export
#   raises an error of its own. With ``strict=True`` the change is left out without an
#   error.
#
# A buffer is right in every version, and the better place for a value that no gradient
# trains. Or move the update out of ``forward()``.


class Average(torch.nn.Module):
    def __init__(self, change):
        super().__init__()
        self.change = change
        self.trained = torch.nn.Parameter(torch.ones(1))
        self.register_buffer("average", torch.ones(1))

    def forward(self, x):
        if self.change == "a buffer":
            self.average.div_(2)
        if self.change == "no_grad()":
            with torch.no_grad():
                self.trained.div_(2)
        if self.change == "inference_mode()":
            with torch.inference_mode():
                self.trained.div_(2)
        if self.change.startswith(".data"):
            self.trained.data.div_(2)
        return x + self.trained + self.average


def exported_changes(change):
    module, strict = Average(change), change.endswith("strict=True")
    try:
        torch.export.export(module, example, strict=strict).module()(*example)
    except RuntimeError as error:
        return str(error).rstrip(".")
    return [module.trained.item(), module.average.item()]


found = {}
changes = ["a buffer", "no_grad()", "inference_mode()", ".data", ".data, strict=True"]
for change in changes:
    found[change] = exported_changes(change)
    print(f"{change:20}{str(found[change]).split('. ')[0]}")
assert found["a buffer"] == [1, 0.5]
refusal = "a leaf Variable that requires grad is being used in an in-place operation"
assert found["no_grad()"] in ([0.5, 1], refusal)
if torch.__version__.startswith("2.13."):
    assert found["no_grad()"] != refusal
    assert found["inference_mode()"] == refusal
    assert isinstance(found[".data"], str)
    assert found[".data, strict=True"] == [1, 1]

# %%
# torch.jit.script: set_grad_enabled(), enable_grad() and @torch.no_grad()
# ------------------------------------------------------------------------
# A scripted function knows only the block ``with torch.no_grad():``. The other ways to
# set the mode raise, and in PyTorch 1.8 ``set_grad_enabled()`` failed with ``r INTERNAL
# ASSERT FAILED at … jit_type_base.h`` (`issue 56595
# <https://github.com/pytorch/pytorch/issues/56595>`__, not run). The decorator
# ``@torch.no_grad()`` is worse: it is dropped without an error.
#
# Write an ``if`` around the block, set the mode outside of the scripted code, or freeze
# with ``requires_grad_(False)``. TorchScript is deprecated
# (:doc:`/reference/errors/torch_jit`); ``torch.export`` and ``torch.compile`` keep the
# decorator.


def with_enable_grad(x):
    with torch.enable_grad():
        return x * 2


def with_set_grad_enabled(x):
    with torch.set_grad_enabled(True):
        return x * 2


for function in (with_enable_grad, with_set_grad_enabled):
    try:
        torch.jit.script(function)
    except RuntimeError as error:
        print(str(error).strip().splitlines()[0])
    else:
        raise AssertionError("the mode was scripted")


class Decorated(torch.nn.Module):
    @torch.no_grad()
    def forward(self, x):
        return x * 10


class Branch(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.freeze, self.layer = True, torch.nn.Linear(1, 1)

    def forward(self, x):
        if self.freeze:
            with torch.no_grad():
                return self.layer(x)
        return self.layer(x)


# Wrong: the decorator is lost.
kept = {
    "eager": Decorated(),
    "torch.compile": torch.compile(Decorated(), backend="eager"),
    "torch.export": torch.export.export(Decorated(), example).module(),
    "torch.jit.script": torch.jit.script(Decorated()),
}
kept = {way: not module(x).requires_grad for way, module in kept.items()}
print(kept)
assert kept.pop("torch.jit.script") is False
assert all(kept.values())
# Right: a block in a branch, or the mode outside.
scripted = torch.jit.script(Branch())
assert not scripted(x).requires_grad
scripted.freeze = False
assert scripted(x).requires_grad
with torch.no_grad():
    assert not scripted(x).requires_grad
torch.compiler.reset()


# %% tags=["hide-input"]
# Where it ends
# -------------
# - ``torch.export`` loses ``inference_mode()``.
# - ``run_decompositions()`` of an exported program drops both ``no_grad()`` and
#   ``detach()``. The program that it returns is for inference.
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
