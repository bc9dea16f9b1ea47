"""
``No inf checks were recorded for this optimizer``
==================================================

No parameter of this optimizer has a gradient: all are frozen, the loss does not depend
on them, or ``zero_grad()`` ran after ``backward()``. Use one optimizer for all
parameters, or call ``scaler.step()`` only for optimizers that have gradients.
"""

# %%
import torch

body, head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
body.requires_grad_(False)
parameters = [*body.parameters(), *head.parameters()]
scaler = torch.amp.GradScaler("cpu")
scaler.scale(head(body(torch.ones(1, 2))).sum()).backward()
of_body = torch.optim.SGD(body.parameters(), lr=0.1)
try:
    # Wrong: an optimizer of frozen parameters alone.
    scaler.step(of_body)
except AssertionError as error:
    print(f"AssertionError: {error}")
else:
    raise AssertionError("the scaler found a gradient")
# Right: one optimizer, and one gradient is enough.
before = head.bias.item()
scaler.step(torch.optim.SGD(parameters, lr=0.1))
scaler.update()
print(round(before - head.bias.item(), 4))
assert head.bias.item() != before

# %%
# Two optimizers
# --------------
# Call ``scaler.step()`` for those that have gradients. If none has, leave out
# ``scaler.update()``, too: it raises an error if no gradient was checked since the last
# update.
head.zero_grad()
scaler.scale(head(body(torch.ones(1, 2))).sum()).backward()
parts = body, head
optimizers = [torch.optim.SGD(part.parameters()) for part in parts]
stepped = []
for optimizer in optimizers:
    group = optimizer.param_groups[0]["params"]
    has_gradient = any(p.grad is not None for p in group)
    if has_gradient:
        scaler.step(optimizer)
    stepped.append(has_gradient)
if any(stepped):
    scaler.update()
print(stepped)
assert stepped == [False, True]

# %%
# ``zero_grad()`` came too early
# ------------------------------
# Call it before ``backward()`` or after ``scaler.step()``, not between them.
head.zero_grad()
scaler.scale(head(torch.ones(1, 2)).sum()).backward()
# Wrong: the gradients are gone before the step.
optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
optimizer.zero_grad()
try:
    scaler.step(optimizer)
except AssertionError as error:
    message = str(error)
else:
    raise AssertionError("the gradients are still there")
assert message == "No inf checks were recorded for this optimizer."
# Right: after the step.
optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
scaler.scale(head(torch.ones(1, 2)).sum()).backward()
scaler.step(optimizer)
scaler.update()
optimizer.zero_grad()
print(head.bias.grad)
assert head.bias.grad is None

# %%
# Nothing is frozen, and the error comes all the same
# ---------------------------------------------------
# Then look at ``.grad`` of the parameters in the optimizer after ``backward()``.
#
# - If it is None in the model, too, the graph is cut between these parameters and the
#   loss, for instance by ``detach()`` or ``no_grad()``.
# - If the model has gradients, the optimizer holds other parameters: of a copy, or of a
#   layer that has been replaced.
#
# Skipping the step hides only the error: these parameters still do not train. Remove
# the cut, or make the optimizer of the parameters of this model.
import copy

first, second = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
net = torch.nn.Sequential(first, second)
of_a_copy = torch.optim.SGD(copy.deepcopy(net).parameters(), lr=0.1)
of_first = torch.optim.SGD(first.parameters(), lr=0.1)
cut = second(first(torch.ones(1, 2)).detach())
whole = net(torch.ones(1, 2))
for output, optimizer in ((cut, of_first), (whole, of_a_copy), (whole, of_first)):
    net.zero_grad()
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(output.sum()).backward(retain_graph=True)
    held = [p.grad is not None for p in optimizer.param_groups[0]["params"]]
    try:
        scaler.step(optimizer)
        scaler.update()
        stepped = True
    except AssertionError:
        stepped = False
    print(first.weight.grad is not None, any(held), stepped)
    assert any(held) == stepped == (output is whole and optimizer is of_first)
    assert (first.weight.grad is None) == (output is cut)

# %%
# *element 0 of tensors does not require grad* came first, and I silenced it
# --------------------------------------------------------------------------
# Both errors have one cause: the loss has no graph to the parameters. With
# ``loss.requires_grad_()`` or ``Variable(loss, requires_grad=True)``, ``backward()``
# runs, but it gives a gradient to the loss alone, and now the scaler complains. Remove
# that line, and mend what :doc:`element_0_of_tensors_does_not_require_grad` names: all
# parameters are frozen, a reentrant checkpoint has a frozen input, or a call drops the
# graph. To find the place, walk from the loss towards the input, to the first tensor
# that requires a gradient: the graph is lost behind it. If there is none, look at
# ``requires_grad`` of the parameters and at ``torch.is_grad_enabled()``. Without a
# scaler, nothing would be raised, and nothing would train.
net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))


def one_step(silenced):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    optimizer.zero_grad()
    scaler = torch.amp.GradScaler("cpu")
    # Right: the loss is computed from the parameters.
    loss = net(torch.ones(1, 2)).sum()
    if silenced:
        # Wrong: detach() drops the graph, and the loss is a leaf.
        loss = loss.detach().requires_grad_()
    scaler.scale(loss).backward()
    try:
        scaler.step(optimizer)
    except AssertionError as error:
        return str(error)
    scaler.update()
    return "stepped"


found = one_step(silenced=True), one_step(silenced=False)
print(*found, sep="\n")
assert found == ("No inf checks were recorded for this optimizer.", "stepped")

# %%
# A custom loss ends in ``torch.tensor(..., requires_grad=True)``
# ---------------------------------------------------------------
# ``torch.tensor()`` takes the numbers alone, and so do ``torch.FloatTensor()`` and
# ``torch.from_numpy()``. The result is a new leaf without a way to the model, and
# ``requires_grad=True`` only lets ``backward()`` run. Compute the loss from the
# prediction with operations of PyTorch: ``torch.stack()`` makes a tensor of a list of
# losses, ``torch.zeros(())`` is the beginning of a sum, and ``where()``, masks and
# ``gather()`` replace a loop with NumPy. Never set ``requires_grad`` on a loss. What
# has no gradient at all, such as a count, a threshold or ``argmax()``, needs another
# loss, for instance a soft Dice for an IoU.
target = torch.tensor([[1.0], [0.0]])


def weighted(predicted):
    losses = [(p - t).square().sum() for p, t in zip(predicted, target, strict=True)]
    # Wrong: new numbers. Right: the same losses, stacked.
    if is_right:
        return torch.stack(losses).mean()
    return torch.tensor([loss.item() for loss in losses], requires_grad=True).mean()


for is_right in (False, True):
    net.zero_grad()
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(weighted(net(torch.ones(2, 2)))).backward()
    try:
        scaler.step(torch.optim.SGD(net.parameters(), lr=0.1))
        outcome = "stepped"
    except AssertionError as error:
        outcome = str(error)
    print(outcome)
    assert (outcome == "stepped") == is_right
    assert (net[0].weight.grad is not None) == is_right

# %%
# LoRA, PEFT, ``fp16``, ``load_in_8bit``: no parameter has a gradient
# -------------------------------------------------------------------
# Here the optimizer is the only one, so skipping its step is no cure. After
# ``backward()``, count the parameters that train, and those with a gradient.
#
# - *None trains*, so ``model.print_trainable_parameters()`` shows 0. The adapter was
#   loaded without ``is_trainable=True``
#   (:doc:`/gallery/frameworks/adapter_is_loaded_frozen`), or something froze the model
#   after ``get_peft_model()``, such as ``prepare_model_for_kbit_training()``. With
#   ``enable_input_require_grads()``, ``backward()`` runs all the same: the input of the
#   first block requires a gradient.
# - *Some train, none has a gradient*: a reentrant checkpoint has an input that requires
#   none, and the error of the loss was silenced. Pass ``use_reentrant=False``, or call
#   ``enable_input_require_grads()``; for 8 and 4 bits,
#   ``prepare_model_for_kbit_training()`` before ``get_peft_model()`` does it
#   (:doc:`/gallery/frameworks/checkpointing_with_adapters`).
# - *They have gradients*, but the optimizer holds others. It was made before
#   ``get_peft_model()``, which freezes the base and adds new parameters. Make it after.
#
# Names that fit no layer raise an error of their own
# (:doc:`not_found_in_the_base_model`). In plain PyTorch, with an adapter beside a
# frozen layer:


class WithAdapter(torch.nn.Module):
    def __init__(self, base):
        super().__init__()
        self.base, self.adapter = base.requires_grad_(False), torch.nn.Linear(2, 1)

    def forward(self, x):
        return self.base(x) + self.adapter(x)


def counts(case):
    base = torch.nn.Linear(2, 1)
    made_before = torch.optim.SGD(base.parameters(), lr=0.1)
    model = WithAdapter(base)
    if case == "frozen":
        model.requires_grad_(False)
    held = made_before if case == "before" else torch.optim.SGD(model.parameters(), 0.1)
    scaler = torch.amp.GradScaler("cpu")
    # the input requires a gradient, as with enable_input_require_grads()
    scaler.scale(model(torch.ones(1, 2, requires_grad=True)).sum()).backward()
    try:
        scaler.step(held)
        stepped = True
    except AssertionError:
        stepped = False
    parameters = list(model.parameters())
    trained = sum(p.requires_grad for p in parameters)
    return trained, sum(p.grad is not None for p in parameters), stepped


# Wrong: all are frozen. Wrong: an optimizer from before. Right: one from after.
found = [counts(case) for case in ("frozen", "before", "after")]
print(found)
assert found == [(0, 0, False), (2, 2, False), (2, 2, True)]

# %%
# ``quantization_bit`` with freeze tuning: the chosen layers hold integers
# ------------------------------------------------------------------------
# To train some of the original layers and freeze the rest, load the model without
# quantisation, in ``bfloat16`` if the memory is short. The weights of a layer in 8 bits
# are ``int8``, which can't require a gradient, so code that unfreezes what is floating
# point finds nothing there, apart from biases and norms. If nothing is left, groups
# without parameters are accepted, and the scaler raises the error. On a quantised
# model, train LoRA adapters. LLaMA-Factory now says so itself: ``Quantization is only
# compatible with the LoRA method`` (`LLaMA-Factory 2170
# <https://github.com/hiyouga/LlamaFactory/issues/2170>`__, read, not run).
layer, head = torch.nn.Module(), torch.nn.Linear(2, 1).requires_grad_(False)
layer.codes = torch.nn.Parameter(torch.ones(2, dtype=torch.int8), requires_grad=False)
trained = [p for p in layer.parameters() if p.is_floating_point()]
optimizer = torch.optim.SGD([{"params": trained}], lr=0.1)
scaler = torch.amp.GradScaler("cpu")
x = torch.ones(1, 2, requires_grad=True)
scaler.scale(head(x * layer.codes).sum()).backward()
try:
    scaler.step(optimizer)
except AssertionError as error:
    message = str(error)
else:
    raise AssertionError("an integer was trained")
print(trained, message)
assert (trained, message) == ([], "No inf checks were recorded for this optimizer.")

# %%
# No error, although all are frozen
# ---------------------------------
# With ``fused=True``, ``scaler.step()`` raises no error and changes nothing. And if the
# frozen parameters still have a gradient from before, ``step()`` applies it: set
# ``.grad`` to None when you freeze.
fused = torch.optim.SGD(body.parameters(), lr=0.1, fused=True)
scaler = torch.amp.GradScaler("cpu")
scaler.scale(torch.ones(1))
before = body.bias.detach().clone()
scaler.step(fused)
assert body.bias.equal(before)
scaler.scale(torch.ones(1))
body.bias.grad = torch.ones(2) * scaler.get_scale()
scaler.step(torch.optim.SGD(body.parameters(), lr=0.1))
print(round((before - body.bias)[0].item(), 4))
assert not body.bias.equal(before)

# %%
# Read on: :doc:`/gallery/beyond/mixed_precision`,
# :doc:`/gallery/beyond/quantised_and_scripted`,
# :doc:`no_inf_checks_were_recorded_prior_to_update`.
