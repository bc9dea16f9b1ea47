"""
Meta-learning: no gradient gets out of a deepcopy
=================================================

``deepcopy`` makes new leaves: the loss of an adapted copy gives the original no
gradient, without an error. Adapt a dictionary of tensors, and use ``functional_call``.
"""

# %%
import copy

import torch
from torch.func import functional_call

model, x = torch.nn.Linear(1, 1, bias=False), torch.ones(1, 1)
torch.nn.init.ones_(model.weight)
adapted = copy.deepcopy(model)
(adapted(x).square().mean() / 2).backward()
print("deepcopy:       ", model.weight.grad)
assert model.weight.grad is None

loss = functional_call(model, {"weight": model.weight}, x).square().mean() / 2
(gradient,) = torch.autograd.grad(loss, model.weight, create_graph=True)
adapted = {"weight": model.weight - 0.1 * gradient}
(functional_call(model, adapted, x).square().mean() / 2).backward()
print("functional_call:", model.weight.grad.item())
assert round(model.weight.grad.item(), 4) == 0.81

# %%
# The whole loop: MAML
# --------------------
# Each task is a line through zero with a slope of its own. The inner loop adapts the
# weights to five points of a task in one step. The outer loop trains the weights that
# this step starts from, by the loss after it. ``torch.autograd.grad()`` leaves the
# ``.grad`` of the model alone, which only the outer loss fills.
from torch import nn
from torch.nn import functional as F


def task():
    slope = 4 * torch.rand(1) - 2
    inputs = 2 * torch.rand(2, 5, 1) - 1
    return inputs, slope * inputs


def adapt(model, inputs, targets, rate=0.3, *, create_graph=True):
    weights = dict(model.named_parameters())
    loss = F.mse_loss(functional_call(model, weights, inputs), targets)
    gradients = torch.autograd.grad(loss, weights.values(), create_graph=create_graph)
    pairs = zip(weights.items(), gradients, strict=True)
    return {name: weight - rate * gradient for (name, weight), gradient in pairs}


def loss_after(model, inputs, targets, **options):
    weights = adapt(model, inputs[0], targets[0], **options)
    return F.mse_loss(functional_call(model, weights, inputs[1]), targets[1])


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
tasks = [task() for _ in range(50)]
first = sum(loss_after(model, *each).item() for each in tasks) / 50
for _ in range(150):
    loss = sum(loss_after(model, *task()) for _ in range(4)) / 4
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
last = sum(loss_after(model, *each).item() for each in tasks) / 50
print(f"{first:.2f} -> {last:.2f}")
assert last < 0.3 * first

# %%
# Can I do without the second derivatives?
# ----------------------------------------
# Yes: that is the first-order variant. With ``create_graph=False`` the inner gradient
# is a constant, and the outer gradient is the one at the adapted weights: 0.9 instead
# of 0.81 in the first cell. Only here is a ``deepcopy`` as good, if you carry its
# gradients over to the original yourself.
inputs, targets = task()
model.zero_grad()
loss_after(model, inputs, targets, create_graph=False).backward()
first_order = [parameter.grad.clone() for parameter in model.parameters()]
model.zero_grad()
loss_after(model, inputs, targets).backward()
second_order = [parameter.grad.clone() for parameter in model.parameters()]

adapted = copy.deepcopy(model)
inner = torch.optim.SGD(adapted.parameters(), lr=0.3)
inner.zero_grad()
F.mse_loss(adapted(inputs[0]), targets[0]).backward()
inner.step()
inner.zero_grad()
F.mse_loss(adapted(inputs[1]), targets[1]).backward()
for old, new in zip(model.parameters(), adapted.parameters(), strict=True):
    old.grad = new.grad
for parameter, gradient in zip(model.parameters(), first_order, strict=True):
    torch.testing.assert_close(parameter.grad, gradient)
assert not torch.allclose(first_order[0], second_order[0], rtol=0.01)

weight = torch.tensor(1.0, requires_grad=True)
for create_graph in (True, False):
    (inner,) = torch.autograd.grad(weight**2 / 2, weight, create_graph=create_graph)
    (outer,) = torch.autograd.grad((weight - 0.1 * inner) ** 2 / 2, weight)
    print(f"{create_graph=}: {outer.item():.2f}")
    assert round(outer.item(), 2) == (0.81 if create_graph else 0.9)

# %%
# A dummy loss and ``register_hook``: how do my own gradients get into the model?
# -------------------------------------------------------------------------------
# Assign them: ``parameter.grad = gradient``, and call ``step()``. Shape and dtype must
# be those of the parameter. The optimizer reads ``.grad``, and does not ask where it
# comes from.
#
# Older MAML code does it with a dummy loss. Its gradient does not matter: it only
# starts a ``backward()``, in which a hook on each parameter returns another gradient,
# and that one is added to ``.grad``. Such a hook has to be removed, or it also replaces
# the gradient of each later loss. And it is not called for a parameter that the dummy
# loss does not reach.
wanted = [torch.full_like(parameter, 0.5) for parameter in model.parameters()]
stepped = []
for way in ("assign", "hook"):
    learner = copy.deepcopy(model)
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.1)
    optimizer.zero_grad()
    pairs = list(zip(learner.parameters(), wanted, strict=True))
    if way == "assign":
        for parameter, gradient in pairs:
            parameter.grad = gradient.clone()
    else:
        handles = [
            parameter.register_hook(lambda _, gradient=gradient: gradient)
            for parameter, gradient in pairs
        ]
        learner(inputs[0]).sum().backward()
        for handle in handles:
            handle.remove()
    optimizer.step()
    stepped.append(torch.nn.utils.parameters_to_vector(learner.parameters()))
torch.testing.assert_close(*stepped)

weight, unreached = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
for tensor in (weight, unreached):
    tensor.register_hook(lambda gradient: torch.full_like(gradient, 7.0))
for _ in range(2):
    (0 * weight).sum().backward()
print("two losses, hook not removed:", weight.grad.tolist())
assert weight.grad.tolist() == [14, 14]
assert unreached.grad is None
for other in (torch.ones(3), torch.ones(2, dtype=torch.float64)):
    try:
        weight.grad = other
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("a gradient of another kind was assigned")
    assert "assign" in message

# %%
# ``create_graph=True`` or ``retain_graph=True``? Memory grows with each inner step
# ---------------------------------------------------------------------------------
# They are not the same. ``retain_graph=True`` keeps the graph of the loss for one more
# backward, and the gradient is a constant: in its place you get the first-order
# variant, without an error. ``create_graph=True`` records how the gradient was computed
# (and keeps the graph, too). Its price is memory: the graphs of all inner steps are
# kept until the outer ``backward()``. If it is too much, take fewer inner steps, adapt
# fewer layers, or use the first-order variant without either option. Call the outer
# ``backward()`` after each task, so that the graph of the next one does not come on
# top.
from gradguide import saved


def after_steps(number, **options):
    weights = dict(model.named_parameters())
    for _ in range(number):
        loss = F.mse_loss(functional_call(model, weights, inputs[0]), targets[0])
        gradients = torch.autograd.grad(loss, weights.values(), **options)
        pairs = zip(weights.items(), gradients, strict=True)
        weights = {name: weight - 0.3 * gradient for (name, weight), gradient in pairs}
    return F.mse_loss(functional_call(model, weights, inputs[1]), targets[1])


kept = {}
for option in ("create_graph", "retain_graph"):
    outer = [after_steps(number, **{option: True}) for number in (1, 2, 4)]
    kept[option] = [saved(loss, model).bytes for loss in outer]
    print(f"{option}: {kept[option]} bytes")
    (found,) = torch.autograd.grad(outer[0], [model[0].weight])
    is_second_order = torch.allclose(found, second_order[0])
    assert is_second_order == (option == "create_graph")
    assert torch.allclose(found, first_order[0]) != is_second_order
assert kept["create_graph"][2] > 2 * kept["create_graph"][0]
assert len(set(kept["retain_graph"])) == 1

# %%
# A second network, used only in the inner loss: where does its gradient come from?
# ---------------------------------------------------------------------------------
# From the update. In bilevel methods, a second network makes the labels or the weights
# of the inner loss, and the outer loss does not contain it. With ``create_graph=True``
# the inner gradient is a function of its output, and so are the adapted weights: the
# outer ``backward()`` passes through them to the second network. With
# ``create_graph=False``, or if the update is written into ``weight.data``, the second
# network gets None, without an error.
teacher, weight = nn.Linear(1, 1), torch.ones(1, 1, requires_grad=True)
points = torch.tensor([[1.0], [2.0]])
for way in ("create_graph=True", "create_graph=False", "weight.data"):
    inner = F.mse_loss(points @ weight, teacher(points))
    (gradient,) = torch.autograd.grad(
        inner, weight, create_graph=way != "create_graph=False"
    )
    if way == "weight.data":
        weight.data -= 0.1 * gradient
        adapted = weight
    else:
        adapted = weight - 0.1 * gradient
    teacher.zero_grad()
    F.mse_loss(points @ adapted, 3 * points).backward()
    reached = teacher.weight.grad is not None
    print(f"{way:19}", reached)
    assert reached == (way == "create_graph=True")


# %%
# Why not an optimizer in the inner loop?
# ---------------------------------------
# ``step()`` writes into the leaves, under ``no_grad()``, so the graph does not contain
# it. The outer loss then trains nothing but the copy. With ``differentiable=True`` the
# step is recorded, but it overwrites weights that the inner graph needs for the second
# derivatives, and ``backward()`` raises. Without second derivatives it works.
adapted = copy.deepcopy(model)
inner = torch.optim.SGD(adapted.parameters(), lr=0.3)
model.zero_grad()
F.mse_loss(adapted(inputs[0]), targets[0]).backward()
inner.step()
F.mse_loss(adapted(inputs[1]), targets[1]).backward()
print([parameter.grad for parameter in model.parameters()])
assert all(parameter.grad is None for parameter in model.parameters())

for create_graph in (False, True):
    weights = {name: p.clone() for name, p in model.named_parameters()}
    inner = torch.optim.SGD(list(weights.values()), lr=0.3, differentiable=True)
    loss = F.mse_loss(functional_call(model, weights, inputs[0]), targets[0])
    gradients = torch.autograd.grad(loss, weights.values(), create_graph=create_graph)
    for weight, gradient in zip(weights.values(), gradients, strict=True):
        weight.grad = gradient
    inner.step()
    model.zero_grad()
    try:
        F.mse_loss(functional_call(model, weights, inputs[1]), targets[1]).backward()
        message = ""
    except RuntimeError as error:
        message = str(error)
    assert ("modified by an inplace operation" in message) == create_graph
    assert (model[0].weight.grad is None) == create_graph

# %%
# MAML: may the inner loop use Adam or RMSprop?
# ---------------------------------------------
# Yes, if you write the rule as a function: gradients with ``create_graph=True``,
# moments and weights as *new* tensors in each step, all part of the graph. ``step()``
# of ``torch.optim`` is not (above). Ready-made are ``torchopt.MetaAdam`` (`TorchOpt
# <https://github.com/metaopt/torchopt>`__) and ``higher`` (both read, not run). The
# *outer* loop may use any optimizer: its step comes after the ``backward()``.
#
# - With one inner step it brings little. The first step of Adam is the rate times the
#   sign of the gradient, which is constant: the second derivatives vanish, and what is
#   left is first-order. SGD with a learned rate for each parameter (Meta-SGD) is the
#   usual way to adapt more freely.
# - ``nan``: the root has an infinite derivative at 0, and a gradient that is exactly 0
#   (a dead ReLU, an unused row) takes it there (reported for `higher
#   <https://github.com/facebookresearch/higher/issues/125>`__ and `TorchOpt
#   <https://github.com/metaopt/torchopt/issues/26>`__). Add a small number *inside* the
#   root (``eps_root`` in TorchOpt, where it is 0 by default), far below the squares of
#   the gradients, such as 1e-16. With 1e-8, Adam is no sign any more where gradients
#   are small, and second derivatives are large. The ``eps`` outside does not help.
# - Start the moments at zero for each task, and correct the bias, or the first steps
#   have another size than with ``torch.optim.Adam``.


def adam_steps(model, number, *, rate=0.1, inside_root=1e-16, create_graph=True):
    weights = dict(model.named_parameters())
    mean = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    square = dict(mean)
    for step in range(1, number + 1):
        loss = F.mse_loss(functional_call(model, weights, inputs[0]), targets[0])
        found = torch.autograd.grad(loss, weights.values(), create_graph=create_graph)
        for (name, weight), gradient in zip(list(weights.items()), found, strict=True):
            mean[name] = 0.9 * mean[name] + 0.1 * gradient
            square[name] = 0.999 * square[name] + 0.001 * gradient**2
            root = (square[name] / (1 - 0.999**step) + inside_root).sqrt()
            weights[name] = weight - rate * mean[name] / (1 - 0.9**step) / (root + 1e-8)
    return weights


def outer_gradient(model, number, **options):
    weights = adam_steps(model, number, **options)
    loss = F.mse_loss(functional_call(model, weights, inputs[1]), targets[1])
    return torch.cat(
        [g.flatten() for g in torch.autograd.grad(loss, model.parameters())]
    )


adapted = copy.deepcopy(model)
inner = torch.optim.Adam(adapted.parameters(), lr=0.1)
for _ in range(3):
    inner.zero_grad()
    F.mse_loss(adapted(inputs[0]), targets[0]).backward()
    inner.step()
for weight, expected in zip(
    adam_steps(model, 3, inside_root=0.0).values(), adapted.parameters(), strict=True
):
    torch.testing.assert_close(weight, expected, atol=1e-4, rtol=1e-3)

for number in (1, 5):
    both = [outer_gradient(model, number, create_graph=c) for c in (True, False)]
    apart = ((both[0] - both[1]).norm() / both[1].norm()).item()
    print(f"{number} steps, second-order part: {apart:.3f}")
    assert apart < 0.1 if number == 1 else apart > 0.3
large = outer_gradient(model, 1, inside_root=1e-8)
assert large.norm() > 2 * outer_gradient(model, 1).norm()

dead = nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 1))
with torch.no_grad():
    dead[0].weight[0], dead[0].bias[0] = 0, -50
for inside_root in (0.0, 1e-16):
    is_nan = outer_gradient(dead, 2, inside_root=inside_root).isnan().any().item()
    print(f"{inside_root=}: nan {is_nan}")
    assert is_nan == (inside_root == 0)

# %%
# ``load_state_dict(parameters_origin)`` after the inner loop restores nothing
# ----------------------------------------------------------------------------
# ``model.state_dict()`` returns the tensors of the model, not copies. The inner steps
# change them in place, so ``parameters_origin`` has the adapted weights, too. Write
# ``copy.deepcopy(model.state_dict())``, as Reptile and first-order MAML need it if they
# adapt the model itself.
#
# The outer loss is differentiated *before* the weights are restored: with
# ``torch.autograd.grad()``, which leaves ``.grad`` alone. Then restore, assign the
# gradients (with several tasks, their sum or mean), and call ``step()`` of the outer
# optimizer. If you collect the losses and call ``backward()`` on their sum after
# restoring, the weights that the graph has saved are overwritten, and it raises
# ``modified by an inplace operation``. (With a single linear layer it does not raise,
# because that needs no weight for its own gradient.) In any case this is first-order:
# for the second derivatives take the loop above.
start = copy.deepcopy(model.state_dict())
found = {}
for way in ("state_dict()", "deepcopy(state_dict())"):
    parameters_origin = model.state_dict()
    if way != "state_dict()":
        parameters_origin = copy.deepcopy(parameters_origin)
    inner = torch.optim.SGD(model.parameters(), lr=0.3)
    inner.zero_grad()
    F.mse_loss(model(inputs[0]), targets[0]).backward()
    inner.step()
    outer = F.mse_loss(model(inputs[1]), targets[1])
    right = torch.autograd.grad(outer, model.parameters(), retain_graph=True)
    model.load_state_dict(parameters_origin)
    restored = all(map(torch.equal, model.state_dict().values(), start.values()))
    try:
        outer.backward()  # too late
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("overwritten weights were used")
    assert "modified by an inplace operation" in message
    print(f"{way:24}", restored)
    assert restored == (way != "state_dict()")
    model.load_state_dict(start)
    for gradient, expected in zip(right, first_order, strict=True):
        torch.testing.assert_close(gradient, expected)

# %%
# higher: ``model.weight.grad`` is None after ``innerloop_ctx()``
# ---------------------------------------------------------------
# Pass ``higher.innerloop_ctx(model, optimizer, copy_initial_weights=False)``. By
# default, the inner loop begins with copies of the weights, and the gradient ends at
# these. With False, it begins with the weights of the model themselves, whose ``.grad``
# the outer ``backward()`` fills; an outer optimizer has to make the step. For an
# evaluation, ``track_higher_grads=False`` saves the memory of the second derivatives.
# (Read in `its source
# <https://github.com/facebookresearch/higher/blob/main/higher/__init__.py>`__, not
# run.) The loop at the top of this page does the same with ``torch.func`` alone. Here
# is the difference that the option makes:
initial = torch.ones(1, requires_grad=True)
for copies in (True, False):
    begin = initial.detach().clone().requires_grad_() if copies else initial
    (gradient,) = torch.autograd.grad(begin.square().sum(), begin, create_graph=True)
    (begin - 0.1 * gradient).square().sum().backward()
    print(f"copy_initial_weights={copies}:", initial.grad)
    assert (initial.grad is None) == copies

# %%
# First-order MAML with higher: ``track_higher_grads=False``, and ``.grad`` is None
# ---------------------------------------------------------------------------------
# That is no bug: with ``track_higher_grads=False`` each inner step detaches the new
# weights. The outer ``backward()`` stops at the adapted ones, whatever
# ``copy_initial_weights`` is, and the model gets nothing. (Read in `its optimizer
# <https://github.com/facebookresearch/higher/blob/main/higher/optim.py>`__, not run.)
# First-order MAML needs just the gradient at the adapted weights: compute it for
# ``fmodel.parameters()`` with ``torch.autograd.grad()``, and write it into ``.grad`` of
# the original, with several tasks the sum or the mean. It is the same as with a link to
# the original and constant inner gradients (``create_graph=False``), as above.
weights = dict(model.named_parameters())
loss = F.mse_loss(functional_call(model, weights, inputs[0]), targets[0])
gradients = torch.autograd.grad(loss, weights.values())
adapted = {
    name: (weight - 0.3 * gradient).detach().requires_grad_()
    for (name, weight), gradient in zip(weights.items(), gradients, strict=True)
}
outer = F.mse_loss(functional_call(model, adapted, inputs[1]), targets[1])
model.zero_grad()
outer.backward(retain_graph=True)  # wrong
print("backward():     ", {parameter.grad for parameter in model.parameters()})
assert all(parameter.grad is None for parameter in model.parameters())
gradients = torch.autograd.grad(outer, adapted.values())  # right
for parameter, gradient in zip(model.parameters(), gradients, strict=True):
    parameter.grad = gradient
print("autograd.grad():", torch.allclose(model[0].weight.grad, first_order[0]))
for parameter, gradient in zip(model.parameters(), first_order, strict=True):
    torch.testing.assert_close(parameter.grad, gradient)

# %%
# Evaluation of MAML under ``no_grad()``, or in ``validation_step``: it raises
# ----------------------------------------------------------------------------
# The inner loop needs gradients, also where nothing is trained for good. Under
# ``no_grad()`` it raises ``element 0 of tensors does not require grad``. Turn recording
# on for the adaptation only. It needs no ``create_graph`` here, because no outer loss
# follows. ``enable_grad()`` does not undo ``inference_mode()``: in Lightning, write
# ``Trainer(inference_mode=False)``.
inputs, targets = task()
with torch.no_grad():
    try:
        # Wrong: the inner loss has no graph.
        adapt(model, inputs[0], targets[0])
    except RuntimeError as error:
        print(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError("the inner loss had a graph")
    # Right: recorded here, and only here.
    with torch.enable_grad():
        adapted = adapt(model, inputs[0], targets[0], create_graph=False)
    score = F.mse_loss(functional_call(model, adapted, inputs[1]), targets[1])
print(score.requires_grad)
assert not score.requires_grad

# %%
# MAML with one inner update: ``element 0 of tensors does not require grad``
# --------------------------------------------------------------------------
# Compute the query loss after the *last* inner step outside of ``no_grad()``, whatever
# the number of inner updates is. In such code the query losses before and after the
# first update are only reported, so they are computed under ``no_grad()``, and the loss
# that trains comes from a loop over the further updates. With ``update_step=1`` this
# loop is empty, and the last query loss has no graph. With two or more there is no
# error. MAML-Pytorch is written `like this
# <https://github.com/dragen1860/MAML-Pytorch/blob/master/meta.py>`__ (read, not run).
# ``no_grad()`` saves the memory of these two graphs, and nothing else: a batch norm in
# training mode still updates its statistics.


def query_loss(number, *, right):
    weights = dict(model.named_parameters())
    for step in range(1, number + 1):
        loss = F.mse_loss(functional_call(model, weights, inputs[0]), targets[0])
        gradients = torch.autograd.grad(loss, weights.values(), create_graph=True)
        pairs = zip(weights.items(), gradients, strict=True)
        weights = {name: weight - 0.3 * gradient for (name, weight), gradient in pairs}
        # Wrong: step > 1. Right: the last step has a graph.
        recorded = step == number if right else step > 1
        with torch.set_grad_enabled(recorded):
            query = F.mse_loss(functional_call(model, weights, inputs[1]), targets[1])
    return query


outcome = {}
for right in (False, True):
    for number in (1, 2):
        try:
            query_loss(number, right=right).backward()
            outcome[right, number] = "trains"
        except RuntimeError as error:
            outcome[right, number] = str(error)
        print(f"{right=!s:6} {number=}: {outcome[right, number]}")
assert outcome.pop((False, 1)).startswith("element 0 of tensors does not require grad")
assert set(outcome.values()) == {"trains"}
norm = nn.BatchNorm1d(1)
with torch.no_grad():
    norm(inputs[0] + 5)
assert norm.running_mean > 0.1

# %%
# Hypernetwork, merged models: no gradient for what makes the weights
# -------------------------------------------------------------------
# One network makes the weights of another, or learned coefficients mix those of two
# models. If you write the result into ``.data``, copy it under ``no_grad()``, or wrap
# it in ``nn.Parameter``, only its values arrive, and the coefficients get no gradient,
# without an error. (Assigned as it is, :doc:`it is refused
# </reference/errors/torch_nn_parameter_or_none_expected>`.) Pass it to
# ``functional_call()``, or delete the parameter and assign the result in its place. The
# network that uses the weights needs no ``requires_grad``, and no place in the
# optimizer.


def output_of(network, made, way):
    if way == "functional_call":
        return functional_call(network, {"weight": made}, points)
    if way == "weight.data = made":
        network.weight.data = made
    elif way == "weight.copy_(made)":
        with torch.no_grad():
            network.weight.copy_(made)
    elif way == "nn.Parameter(made)":
        network.weight = nn.Parameter(made)
    else:
        del network.weight
        network.weight = made
    return network(points)


one, other = torch.randn(1, 1), torch.randn(1, 1)
arrives = {}
for way in (
    "weight.data = made",
    "weight.copy_(made)",
    "nn.Parameter(made)",
    "functional_call",
    "del weight; weight = made",
):
    share = torch.tensor(0.3, requires_grad=True)
    made = share * one + (1 - share) * other
    output_of(nn.Linear(1, 1, bias=False), made, way).square().sum().backward()
    arrives[way] = share.grad is not None
    print(f"{way:26}{arrives[way]}")
assert list(arrives.values()) == [False, False, False, True, True]

# %%
# ANIL, or a model with frozen layers: adapt only some of the weights
# -------------------------------------------------------------------
# Put only those weights into the dictionary that the inner loop should change. What
# ``functional_call`` does not get, it takes from the model, and the outer loss trains
# it, unless it is frozen. If a frozen parameter is in the list,
# ``torch.autograd.grad()`` raises ``One of the differentiated Tensors does not require
# grad``. If one is in it that this task does not use, it raises ``appears to not have
# been used in the graph``: pass ``allow_unused=True``, and leave the weight as it is
# where the gradient is None.


def adapt_some(model, inputs, targets, chosen, rate=0.3):
    weights = {n: p for n, p in model.named_parameters() if n.startswith(chosen)}
    loss = F.mse_loss(functional_call(model, weights, inputs), targets)
    gradients = torch.autograd.grad(loss, weights.values(), create_graph=True)
    pairs = zip(weights.items(), gradients, strict=True)
    return {name: weight - rate * gradient for (name, weight), gradient in pairs}


model.zero_grad()
adapted = adapt_some(model, inputs[0], targets[0], chosen="2.")  # the head
F.mse_loss(functional_call(model, adapted, inputs[1]), targets[1]).backward()
print("adapted:", *adapted)
print("trained:", *(n for n, p in model.named_parameters() if p.grad is not None))
assert list(adapted) == ["2.weight", "2.bias"]
assert all(p.grad is not None for p in model.parameters())
model[0].requires_grad_(False)
try:
    adapt_some(model, inputs[0], targets[0], chosen=("0.", "2."))
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a frozen weight was differentiated")
assert message.startswith("One of the differentiated Tensors does not require grad")
model[0].requires_grad_(True)

# %%
# The outer gradient explodes with more inner steps, or the outer loss is nan
# ---------------------------------------------------------------------------
# The outer gradient is a product with one factor for each inner step: 1 minus the inner
# rate times the curvature. If the inner rate is too large, a factor is below -1, and
# the product grows as a power of the number of steps. So lower the inner rate first,
# then clip the outer gradient, or take fewer inner steps. Smaller gradients than with
# one step are normal. Different rates for inner steps and layers can be learned, as
# MAML++ does (`paper <https://arxiv.org/abs/1810.09502>`__).
sizes = {}
for rate in (0.1, 3.0):
    for steps in (1, 5):
        begin = torch.tensor(1.0, requires_grad=True)
        weight = begin
        for _ in range(steps):
            (gradient,) = torch.autograd.grad(
                weight.square() / 2, weight, create_graph=True
            )
            weight = weight - rate * gradient
        (outer,) = torch.autograd.grad(weight.square() / 2, begin)
        sizes[rate, steps] = outer.item()
        print(f"{rate=} {steps=}: {outer.item():.2f}")
assert sizes[0.1, 5] < sizes[0.1, 1] < 1
assert sizes[3.0, 5] == sizes[3.0, 1] ** 5

# %%
# Where it ends
# -------------
# - A frozen parameter makes ``torch.autograd.grad()`` raise. To adapt the head alone,
#   ask for its gradients only: the weights that ``functional_call`` does not get are
#   those of the model, and the outer loss trains them, too.
# - ``functional_call`` with parameters alone uses the model's buffers: each inner step
#   of a batch norm in training mode moves its statistics. Pass buffers as well.
# - ``load_state_dict()`` copies values under ``no_grad()``. It cuts the graph as
#   ``deepcopy`` does.
# - A transformer with fused attention has no second derivative: ``derivative for
#   aten::_scaled_dot_product_efficient_attention_backward is not implemented``. Use
#   first-order MAML, or :doc:`another kernel
#   </reference/errors/derivative_for_aten_scaled_dot_product>`. A compiled model
#   :doc:`raises, too
#   </reference/errors/aot_autograd_does_not_currently_support_double_backward>`.
model.zero_grad()
model[0].requires_grad_(False)
try:
    adapt(model, inputs[0], targets[0])
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a frozen parameter got a gradient")
model[0].requires_grad_(True)
head = {f"2.{name}": parameter for name, parameter in model[2].named_parameters()}
loss = F.mse_loss(model(inputs[0]), targets[0])
gradients = torch.autograd.grad(loss, head.values(), create_graph=True)
pairs = zip(head.items(), gradients, strict=True)
head = {name: weight - 0.3 * gradient for (name, weight), gradient in pairs}
F.mse_loss(functional_call(model, head, inputs[1]), targets[1]).backward()
assert all(parameter.grad.any() for parameter in model.parameters())

norm = nn.BatchNorm1d(1)
functional_call(norm, dict(norm.named_parameters()), inputs[0] + 5)
assert norm.running_mean > 0.1
buffers = {name: buffer.clone() for name, buffer in norm.named_buffers()}
before = norm.running_mean.clone()
functional_call(norm, (dict(norm.named_parameters()), buffers), inputs[0] + 5)
assert torch.equal(norm.running_mean, before)
assert not torch.equal(buffers["running_mean"], before)

scale = torch.ones(1, requires_grad=True)
loaded = nn.Linear(1, 1, bias=False)
loaded.load_state_dict({"weight": scale * torch.ones(1, 1)})
loaded(torch.ones(1, 1)).sum().backward()
assert scale.grad is None


class Attention(nn.Linear):
    def forward(self, x):
        query = super().forward(x)[None, None]
        return F.scaled_dot_product_attention(query, query, query)[0, 0]


transformer = Attention(1, 1)
loss_after(transformer, inputs, targets, create_graph=False).backward()
assert transformer.weight.grad is not None
try:
    loss_after(transformer, inputs, targets).backward()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("fused attention was differentiated twice")
assert message.startswith("derivative for aten::_scaled_dot_product_flash_attention")

# %%
# Adapt tensors, not modules. Source: `Model-Agnostic Meta-Learning for Fast Adaptation
# of Deep Networks <https://arxiv.org/abs/1703.03400>`__, and
# :torch:`torch.func.functional_call`.
#
# Related: :doc:`/gallery/beyond/func_and_functional_call`,
# :doc:`/gallery/modes/updating_weights_by_hand`,
# :doc:`/gallery/beyond/complex_and_double_backward`.
