"""
A backward hook does not run on a frozen layer that passes no gradient on
=========================================================================

If the layer is frozen and its input requires no gradient, the backward hook of the
module never runs, and no error is raised. Let the input require a gradient. A hook on
the output, a tensor, raises an error there.
"""

# %%
import torch
from torch import nn

layer = nn.Linear(2, 2).requires_grad_(False)
head, calls = nn.Linear(2, 1), []
layer.register_full_backward_hook(lambda *args: calls.append(args[1]))
# Wrong: no gradient passes through the frozen layer.
head(layer(torch.ones(1, 2))).sum().backward()
print(len(calls))
assert not calls
# Right: the input requires a gradient.
head(layer(torch.ones(1, 2).requires_grad_())).sum().backward()
print(len(calls))
assert calls[0][0].shape == (1, 2)

# %%
# Which hook runs when?
# ---------------------
# Four hooks on a linear layer, and what is frozen. The module's hook gets the gradient
# of the input only if the input requires one; with a trainable layer alone it runs,
# with ``None`` in its place and a warning. ``register_hook`` raises where no gradient
# will arrive.
import warnings


def hooks_that_run(frozen, asked):
    layer, ran = nn.Linear(2, 2).requires_grad_(not frozen), []

    def of_module(_module, inputs, _outputs):
        ran.append("module, no input" if inputs[0] is None else "module")

    layer.register_full_backward_hook(of_module)
    if not frozen:
        layer.weight.register_hook(lambda _: ran.append("weight"))
        layer.bias.register_post_accumulate_grad_hook(lambda _: ran.append("bias"))
    output = layer(torch.ones(1, 2, requires_grad=asked))
    try:
        output.register_hook(lambda _: ran.append("output"))
    except RuntimeError:
        ran.append("error")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        head(output).sum().backward()
    return sorted(ran)


table = {
    (frozen, asked): hooks_that_run(frozen, asked)
    for frozen in (False, True)
    for asked in (True, False)
}
for (frozen, asked), ran in table.items():
    print(f"frozen={frozen}, x.requires_grad={asked}: {ran}")
assert table[False, True] == ["bias", "module", "output", "weight"]
assert table[False, False] == ["bias", "module, no input", "output", "weight"]
assert table[True, True] == ["module", "output"]
assert table[True, False] == ["error"]

# %%
# The old register_backward_hook on a Sequential: wrong grad_input
# ----------------------------------------------------------------
# ``grad_output`` holds the gradient of the loss with respect to each output of the
# module, ``grad_input`` that with respect to each input. With the deprecated
# ``register_backward_hook``, ``grad_input`` belongs to the *last operation* in the
# module: for a ``Sequential`` that ends in a linear layer, these are the gradients of
# its bias, of its input and of its transposed weight. Use
# ``register_full_backward_hook``. A ``ModuleList`` is not called itself, so neither
# hook runs on it: hook its members. For Grad-CAM, a tensor hook on the output of the
# layer is enough.
network = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 5))
x = torch.ones(4, 2, requires_grad=True)
for name in ("register_backward_hook", "register_full_backward_hook"):
    module, ran = nn.Sequential(*network), []
    for owner in (module, nn.ModuleList(network)):
        getattr(owner, name)(lambda *args, ran=ran: ran.append(args[1:]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module(x).sum().backward()
    ((grad_input, grad_output),) = ran
    shapes = [tuple(g.shape) for g in grad_input]
    print(name, shapes, tuple(grad_output[0].shape))
    assert grad_output[0].shape == (4, 5)
    expected = [(5,), (4, 3), (3, 5)] if name == "register_backward_hook" else [(4, 2)]
    assert shapes == expected

# %%
# Inside register_full_backward_hook, ``.grad`` of a parameter is None
# --------------------------------------------------------------------
# The hook waits for the gradient of the module's input, not for the ``.grad`` of its
# parameters. If no input requires a gradient, it runs before these are accumulated:
# ``.grad`` is None, or the old value. If an input does, ``.grad`` was there already in
# this example, but the order is not guaranteed: for a layer that is used twice, the
# first of two calls comes before it. Read ``.grad`` after ``backward()``, or in
# ``register_post_accumulate_grad_hook`` of the parameter.


def grads_in_hook(asked, times=1, passes=1):
    layer, seen, after = nn.Linear(2, 2, bias=False), [], []
    nn.init.eye_(layer.weight)

    def of_module(module, _inputs, _outputs):
        grad = module.weight.grad
        seen.append(None if grad is None else grad[0, 0].item())

    layer.register_full_backward_hook(of_module)
    layer.weight.register_post_accumulate_grad_hook(
        lambda weight: after.append(weight.grad[0, 0].item())
    )
    for _ in range(passes):
        output = torch.ones(1, 2, requires_grad=asked)
        for _ in range(times):
            output = layer(output)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            output.sum().backward()
    return seen, after


print(grads_in_hook(asked=False, passes=2))
print(grads_in_hook(asked=True, times=2))
assert grads_in_hook(asked=False, passes=2) == ([None, 1], [1, 2])
assert grads_in_hook(asked=True) == ([1], [1])
assert grads_in_hook(asked=True, times=2) == ([None, 2], [2])

# %%
# ``param.register_hook``: in the hook, ``param.grad`` is None or that of the last step
# -------------------------------------------------------------------------------------
# A hook of :torch:`register_hook <generated/torch.Tensor.register_hook.html>` gets the
# new gradient as its argument and runs *before* it is added to ``.grad``. Of the hooks
# of a tensor, only ``register_post_accumulate_grad_hook`` runs after that. To update a
# weight in the backward pass and free its gradient at once, use the second, with one
# optimizer for each parameter: ``step()`` in the hook, then set ``.grad`` to None. With
# the first, a hook that updates its own parameter uses the gradient of the step before.
# LOMO (read, not run) uses the first, too, but its hook goes over all parameters and
# updates those whose ``.grad`` is already there. The last one of the pass has no hook
# after it, so LOMO calls the update once more after ``backward()``.
#
# Such an update does not go together with gradient accumulation, with
# ``clip_grad_norm_()`` over all parameters, or with a second ``backward()`` before the
# step: each backward pass updates the weights, and no gradient is left after it.


def at_once(network, register):
    optimizers = {p: torch.optim.SGD([p], lr=0.1) for p in network.parameters()}

    def update(weight):
        if weight.grad is not None:
            optimizers[weight].step()
            weight.grad = None

    for weight in network.parameters():
        if register == "register_hook":
            weight.register_hook(lambda _, weight=weight: update(weight))
        else:
            weight.register_post_accumulate_grad_hook(update)


def weights_after(register, steps):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    if register != "step()":
        at_once(network, register)
    for step in range(steps):
        network(torch.full((4, 2), 1.0 + step)).square().mean().backward()
        if register == "step()":
            optimizer.step()
            optimizer.zero_grad()
    freed = all(p.grad is None for p in network.parameters())
    return nn.utils.parameters_to_vector(network.parameters()).detach(), freed


start, _ = weights_after("step()", 0)
for register in ("register_hook", "register_post_accumulate_grad_hook"):
    first, freed = weights_after(register, 1)
    third, _ = weights_after(register, 3)
    usual, _ = weights_after("step()", 3)
    same = third.allclose(usual)
    print(f"{register:35} {first.equal(start)!s:6}{freed!s:6}{same}")
    assert first.equal(start) == (register == "register_hook")
    assert freed == same == (register != "register_hook")

# %%
# Hooks that never run, without an error
# --------------------------------------
# - A module's hooks run when the module is called. ``layer.forward(x)`` and functions
#   that take the weight go around them; so does ``nn.MultiheadAttention`` with its
#   ``out_proj``. A hook on the weight runs.
# - The output is a dictionary or a list: a warning, and no hook. In a tuple it works,
#   but not in a tuple inside a tuple, where not even a warning comes.
# - The parameter was frozen after its hook was registered.
# - The module is part of a compiled function that was called before:
#   :doc:`/gallery/beyond/compile_trace_export`.
# - ``autograd.grad`` and ``backward(inputs=…)`` compute what they are asked for, and
#   run the hooks on the way there.


class Container(nn.Module):
    def __init__(self, wrap):
        super().__init__()
        self.wrap = wrap

    def forward(self, x):
        return self.wrap(layer(x))


def runs(module, call):
    ran = []
    handle = module.register_full_backward_hook(lambda *_: ran.append(1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call().sum().backward()
    handle.remove()
    return bool(ran)


layer, attention = nn.Linear(2, 2), nn.MultiheadAttention(2, 1)
as_tuple, as_dict = Container(lambda y: (y,)), Container(lambda y: {"y": y})
as_list, as_nested = Container(lambda y: [y]), Container(lambda y: ((y,),))
x = torch.ones(1, 2, requires_grad=True)
found = {
    "layer(x)": runs(layer, lambda: layer(x)),
    "layer.forward(x)": runs(layer, lambda: layer.forward(x)),
    "linear(x, weight)": runs(layer, lambda: nn.functional.linear(x, layer.weight)),
    "out_proj": runs(attention.out_proj, lambda: attention(x, x, x)[0]),
    "in a dictionary": runs(as_dict, lambda: as_dict(x)["y"]),
    "in a list": runs(as_list, lambda: as_list(x)[0]),
    "in a nested tuple": runs(as_nested, lambda: as_nested(x)[0][0]),
    "in a tuple": runs(as_tuple, lambda: as_tuple(x)[0]),
}
for case, does_run in found.items():
    print(f"{case:18}{does_run}")
assert [c for c, does_run in found.items() if does_run] == ["layer(x)", "in a tuple"]

ran = []
attention.out_proj.weight.register_hook(ran.append)
attention(x, x, x)[0].sum().backward()
assert len(ran) == 1
ran.clear()
layer.weight.register_hook(ran.append)
layer.bias.register_hook(ran.append)
torch.autograd.grad(layer(x).sum(), layer.weight)
assert len(ran) == 1
ran.clear()
layer.weight.requires_grad_(False)
layer(x).sum().backward()
assert len(ran) == 1

# %%
# The hook on ``mixer.conv1d`` never runs, its gradient is None: Mamba, fused layers
# ----------------------------------------------------------------------------------
# The fused code takes ``conv1d.weight`` and does not call ``conv1d``, so a hook of the
# module never runs. The weight still has a gradient: read ``conv1d.weight.grad`` after
# ``backward()``, or put the hook on the weight. In the block of Mamba, the training
# never calls ``in_proj`` and ``dt_proj``, and with the fast path it calls none of the
# others, either. ``use_fast_path=False`` brings back the calls of ``x_proj`` and
# ``out_proj``, and that of ``conv1d`` only without the package ``causal_conv1d`` (read
# in `its source
# <https://github.com/state-spaces/mamba/blob/main/mamba_ssm/modules/mamba_simple.py>`__,
# not run).
#
# What changes the *call* of such a layer is passed over in the same way, without an
# error: a forward hook, a wrapper, a LoRA adapter around it. PEFT refuses ``conv1d``
# and ``out_proj`` of Mamba: ``is incompatible with Mamba-based models`` (`source
# <https://github.com/huggingface/peft/blob/main/src/peft/tuners/tuners_utils.py>`__,
# read). What changes the *weight*, such as a parametrization, still works.
from torch.nn.utils import parametrize


class Mixer(nn.Module):
    def __init__(self, *, fused):
        super().__init__()
        self.conv1d, self.fused = nn.Conv1d(2, 2, 3, padding=2, groups=2), fused

    def forward(self, x):
        if self.fused:
            y = nn.functional.conv1d(x, self.conv1d.weight, padding=2, groups=2)
        else:
            y = self.conv1d(x)
        return nn.functional.silu(y[..., : x.shape[-1]])


class Adapter(nn.Module):
    def __init__(self, base):
        super().__init__()
        self.base, self.scale = base, nn.Parameter(torch.ones(1))

    @property
    def weight(self):
        return self.base.weight

    def forward(self, x):
        return self.base(x) * self.scale


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, weight):
        return weight * self.scale


signal, reached = torch.randn(1, 2, 5), {}
for fused in (True, False):
    mixer, ran = Mixer(fused=fused), []
    mixer.conv1d.register_forward_hook(lambda *_, ran=ran: ran.append("module"))
    mixer.conv1d.weight.register_hook(lambda _, ran=ran: ran.append("weight"))
    mixer(signal).sum().backward()
    reached[fused] = [sorted(ran), mixer.conv1d.weight.grad is not None]
    mixer.conv1d = Adapter(mixer.conv1d)
    mixer(signal).sum().backward()
    reached[fused].append(mixer.conv1d.scale.grad is not None)
    mixer = Mixer(fused=fused)
    parametrize.register_parametrization(mixer.conv1d, "weight", Scaled())
    mixer(signal).sum().backward()
    scale = mixer.conv1d.parametrizations.weight[0].scale
    reached[fused].append(scale.grad is not None)
    print(f"{fused=!s:6} [hooks, weight.grad, adapter, parametrization]")
    print(f"{'':12} {reached[fused]}")
assert reached[True] == [["weight"], True, False, True]
assert reached[False] == [["module", "weight"], True, True, True]

# %%
# Does a hook survive ``deepcopy()``, ``.to()``, ``load_state_dict()``?
# ---------------------------------------------------------------------
# Register them last, after you have copied the model and loaded its weights. Then count
# the calls in one backward pass.
#
# - ``copy.deepcopy(model)`` copies the hooks of a module. If a hook is a function, both
#   copies call the same one. If it is a method, its object is copied, too, and the hook
#   of the copy writes to that. It loses the hooks of a parameter, such as a mask of the
#   gradient.
# - ``.to()``, ``.half()`` and ``load_state_dict()`` keep both kinds. Only to and from
#   the device ``meta`` the parameters are new ones, without theirs.
#   ``load_state_dict(..., assign=True)`` replaces the parameters, and so loses theirs.
# - ``state_dict()`` has no hooks: register them again in the new process.
import copy


def hooks_after(change):
    model, ran = nn.Linear(2, 1), []
    model.register_full_backward_hook(lambda *_: ran.append("module"))
    model.weight.register_hook(lambda _: ran.append("weight"))
    model = change(model)
    model(torch.ones(1, 2, dtype=model.weight.dtype).requires_grad_()).sum().backward()
    return sorted(ran)


def load(model, **options):
    model.load_state_dict(nn.Linear(2, 1).state_dict(), **options)
    return model


survived = {
    "deepcopy()": hooks_after(copy.deepcopy),
    ".to(float64)": hooks_after(lambda model: model.to(torch.float64)),
    "load_state_dict()": hooks_after(load),
    "assign=True": hooks_after(lambda model: load(model, assign=True)),
}
for name, ran in survived.items():
    print(f"{name:18}{ran}")
    kept = name not in {"deepcopy()", "assign=True"}
    assert ran == (["module", "weight"] if kept else ["module"])


class Calls:
    number = 0

    def count(self, *_):
        self.number += 1


calls, model = Calls(), nn.Linear(2, 1)
model.register_forward_hook(calls.count)
copy.deepcopy(model)(torch.ones(1, 2))
assert calls.number == 0
weight = model.weight
assert model.double().weight is weight
assert model.to("meta").weight is not weight

# %%
# ``register_full_backward_hook`` under vmap, jacrev: ``setup_context`` is missing
# --------------------------------------------------------------------------------
# Remove the hook before the transform, with ``handle.remove()``. A full backward hook
# or pre-hook puts a function of PyTorch's own around the layer, which ``grad``, ``vjp``
# and ``jacrev`` refuse if their gradient passes there, frozen layer or not: ``must
# override the setup_context staticmethod`` (:doc:`what it means
# </reference/errors/must_override_the_setup_context_staticmethod>`). A deep copy has
# the hook, too. ``vmap`` or ``jacfwd`` alone mostly raise nothing, but the hook does
# not run, not even in a later ``backward()``.
#
# In place of the hook, return the activation (``has_aux=True``), and take the gradient
# of the layer's output as that of zeros that you add to it. A forward hook runs, but a
# tensor that it stores under ``vmap`` can't be used outside: ``your tensor may have
# escaped from inside a function being vmapped``.
from torch.func import grad, jacfwd, jacrev, vmap

network = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
rows, ran, stored = torch.randn(4, 2), [], []
handle = network[0].register_full_backward_hook(lambda *_: ran.append(1))
try:
    vmap(jacrev(network))(rows)  # wrong
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a transform ran a full backward hook")
assert "must override the setup_context staticmethod" in message
vmap(network)(rows.clone().requires_grad_()).sum().backward()
jacfwd(network)(rows[0])
grad(lambda w: (network[:2](rows) @ w).sum())(torch.ones(3))  # ends before the layer
assert not ran
handle.remove()
print(tuple(vmap(jacrev(network))(rows).shape))  # right


def with_zeros(zeros, row):
    hidden = network[0](row) + zeros
    return network[1:](hidden).sum(), hidden


each = vmap(grad(with_zeros, has_aux=True), in_dims=(None, 0))
of_output, activations = each(torch.zeros(3), rows)
expected = network[0](rows)
expected.retain_grad()
network[1:](expected).sum().backward()
torch.testing.assert_close(of_output, expected.grad)
torch.testing.assert_close(activations, expected)

handle = network[0].register_forward_hook(lambda *args: stored.append(args[2]))
vmap(network)(rows)
try:
    stored[0].sum()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a tensor has left vmap")
print(message.partition(" and this")[0])
assert "your tensor may have escaped from inside a function being vmapped" in message

# %%
# A full backward hook and in-place operations
# --------------------------------------------
# The hook makes the output of the layer a view, which autograd refuses to change: here
# by the next layer, with ``inplace=True``. The same holds for the input of the layer.
# Set ``inplace`` to False, or use a tensor hook on the output, which has no such limit.
# It gets the gradient of the output alone.


def gradients(hooked, inplace):
    network, seen = nn.Sequential(nn.Linear(2, 2), nn.ReLU(inplace)), []
    nn.init.eye_(network[0].weight)
    nn.init.constant_(network[0].bias, -0.5)

    def of_module(_module, _inputs, outputs):
        seen.append(outputs[0])

    def of_tensor(_module, _inputs, output):
        output.register_hook(seen.append)

    if hooked == "module":
        network[0].register_full_backward_hook(of_module)
    else:
        network[0].register_forward_hook(of_tensor)
    network(torch.tensor([[0.0, 1.0]])).sum().backward()
    return seen[0].tolist()


try:
    # Wrong: nn.ReLU writes into the output of the hooked layer.
    gradients("module", inplace=True)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the output of a hooked layer was changed in place")
# Right: a new tensor, or a hook on the tensor.
warnings.filterwarnings("ignore", message="Full backward hook is firing")
print(gradients("module", inplace=False), gradients("tensor", inplace=True))
assert gradients("module", inplace=False) == [[0, 1]]
assert gradients("tensor", inplace=True) == [[0, 1]]

hooked, changed = nn.Linear(2, 2), x * 1
hooked.register_full_backward_hook(lambda *_: None)
y = hooked(changed)
changed += 1
try:
    y.sum().backward()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the input of a hooked layer was changed in place")
assert "is a view and its base" in message.splitlines()[0]
assert message.startswith("Output 0 of BackwardHookFunction")

# %%
# Where it ends
# -------------
# - Under ``no_grad()`` a forward runs forward hooks only. A ``backward()`` in the
#   block, through a graph from outside, runs the hooks of the backward pass as usual.
# - What a hook returns replaces the gradient, and must have its shape. A module's hook
#   returns a tuple, with an entry for each input.
# - A hook stays until its handle is removed. Registered in each step, it runs once more
#   in each step.
# - A layer that is used twice runs its hook twice, a weight in it once, with the sum.
#   If both uses are in reentrant checkpoints, the weight runs its hook twice, too.
from torch.utils.checkpoint import checkpoint

ran, layer = [], nn.Linear(2, 2)
layer.register_forward_hook(lambda *_: ran.append("forward"))
layer.register_full_backward_hook(lambda *_: ran.append("backward"))
with torch.no_grad():
    layer(x)
assert ran == ["forward"]
loss = layer(x).sum()
with torch.no_grad():
    loss.backward()
assert ran == ["forward", "forward", "backward"]

for returned, text in (
    (lambda given: given[0][:, :1], "has changed the size of value"),
    (lambda given: (given[0], None), "invalid number of grad_input"),
):
    other = nn.Linear(2, 2)
    other.register_full_backward_hook(lambda *args, r=returned: r(args[1]))
    try:
        other(x).sum().backward()
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("a gradient of another shape was accepted")
    assert text in message

other, counts, handles = nn.Linear(2, 2), [], []
for _ in range(3):
    handles.append(other.weight.register_hook(counts.append))
    counts.clear()
    other(x).sum().backward()
    print(len(counts))
assert len(counts) == 3
for handle in handles:
    handle.remove()
counts.clear()
other(x).sum().backward()
assert not counts

ran.clear()
layer.weight.register_hook(lambda _: ran.append("weight"))
layer(layer(x)).sum().backward()
print(ran)
assert ran.count("backward") == 2
assert ran.count("weight") == 1
for use_reentrant in (True, False):
    ran.clear()
    hidden = checkpoint(layer, x, use_reentrant=use_reentrant)
    checkpoint(layer, hidden, use_reentrant=use_reentrant).sum().backward()
    assert ran.count("weight") == (2 if use_reentrant else 1)

# %%
# Before you look for a fault in the hook, ask ``output.requires_grad``. On a frozen
# network, let the input require a gradient.
#
# Related: :doc:`hooks_and_custom_functions`, :doc:`custom_functions_that_fail`,
# :doc:`/reference/errors/cannot_register_a_hook_on_a_tensor`. Source:
# :torch:`torch.nn.Module.register_full_backward_hook`.
