"""
Distillation has no effect: detach the teacher, not the student
===============================================================

In knowledge distillation, a feature loss with the student's feature detached trains
nothing and raises no error. The teacher is the constant: frozen, in ``eval()``, under
``no_grad()``. Layers that adapt the features belong to the optimizer.
"""

# %%
import torch
from torch import nn

student, teacher = nn.Linear(4, 2), nn.Linear(4, 2)
teacher.requires_grad_(False).eval()
x = torch.ones(8, 4)
with torch.no_grad():
    target = teacher(x)
feature = student(x)
wrong = (feature.detach() - target).square().mean()  # detaches the student
right = (feature - target).square().mean()
print(wrong.item() == right.item(), wrong.requires_grad, right.requires_grad)
right.backward()
assert wrong == right
assert not wrong.requires_grad
assert student.weight.grad is not None
assert teacher.weight.grad is None

# %%
# Both terms have the same value, so the log looks right. Alone, the wrong one raises
# :doc:`element 0 of tensors does not require grad
# </reference/errors/element_0_of_tensors_does_not_require_grad>`. Added to another
# loss, it is a constant: the gradients are the same as without it.
#
# The whole loop: soft labels and features
# ----------------------------------------
# The teacher is wider than the student, so a layer, ``adapt``, brings the student's
# features to the teacher's width. It is needed for training only, and it has
# parameters: the optimizer must hold them. The soft labels are the teacher's
# probabilities at a temperature of 4, and the factor ``4**2`` keeps the size of their
# gradient.
from torch.nn import functional as F


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.features = nn.Sequential(
            nn.Linear(2, width), nn.BatchNorm1d(width), nn.ReLU()
        )
        self.head = nn.Linear(width, 3)

    def forward(self, x):
        features = self.features(x)
        return features, self.head(features)


def batch(size=64):
    labels = torch.randint(3, (size,))
    return F.one_hot(labels, 3)[:, :2] * 3 + torch.randn(size, 2), labels


torch.manual_seed(0)
teacher = Net(32)
optimizer = torch.optim.Adam(teacher.parameters(), lr=0.02)
for _ in range(100):
    inputs, labels = batch()
    optimizer.zero_grad()
    F.cross_entropy(teacher(inputs)[1], labels).backward()
    optimizer.step()

teacher.requires_grad_(False).eval()
before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
student, adapt = Net(8), nn.Linear(8, 32)
optimizer = torch.optim.Adam([*student.parameters(), *adapt.parameters()], lr=0.02)
distances = []
for _ in range(100):
    inputs, labels = batch()
    with torch.no_grad():
        teacher_features, teacher_logits = teacher(inputs)
    features, logits = student(inputs)
    task = F.cross_entropy(logits, labels)
    soft = 4**2 * F.kl_div(
        (logits / 4).log_softmax(1),
        (teacher_logits / 4).softmax(1),
        reduction="batchmean",
    )
    hint = F.mse_loss(adapt(features), teacher_features)
    optimizer.zero_grad()
    (task + soft + hint).backward()
    optimizer.step()
    distances.append(hint.item())
print(f"features: {distances[0]:.2f} -> {distances[-1]:.2f}")
assert distances[-1] < 0.5 * distances[0]
after = teacher.state_dict()
assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


# %%
# Does this term of the loss train anything?
# ------------------------------------------
# Ask for the gradient of that term alone: ``autograd.grad`` with ``allow_unused=True``
# returns None for each parameter that the term does not reach. ``.grad`` after
# ``backward()`` can't tell, because it is the sum over all terms, and neither can the
# value: if the student is detached before ``adapt``, the term falls, since ``adapt``
# learns, and its ``requires_grad`` is True. The student gets nothing from it.
def trains(term, **modules):
    if not term.requires_grad:
        return []
    reached = []
    for name, module in modules.items():
        parameters = [p for p in module.parameters() if p.requires_grad]
        gradients = torch.autograd.grad(
            term, parameters, retain_graph=True, allow_unused=True
        )
        if any(g is not None and g.any() for g in gradients):
            reached.append(name)
    return reached


parts = {"features": student.features, "head": student.head, "adapt": adapt}
features, logits = student(inputs)
terms = {
    "task": F.cross_entropy(logits, labels),
    "soft": F.kl_div(
        (logits / 4).log_softmax(1),
        (teacher_logits / 4).softmax(1),
        reduction="batchmean",
    ),
    "hint": F.mse_loss(adapt(features), teacher_features),
    "hint, detached before adapt": F.mse_loss(
        adapt(features.detach()), teacher_features
    ),
    "hint, detached behind adapt": F.mse_loss(
        adapt(features).detach(), teacher_features
    ),
}
found = {name: trains(term, **parts) for name, term in terms.items()}
for name, reached in found.items():
    print(f"{name:28}", *reached or ["nothing"])
assert found == {
    "task": ["features", "head"],
    "soft": ["features", "head"],
    "hint": ["features", "adapt"],
    "hint, detached before adapt": ["adapt"],
    "hint, detached behind adapt": [],
}
constant, first = terms["hint, detached behind adapt"], student.features[0].weight
gradients = [
    torch.autograd.grad(total, first, retain_graph=True)[0]
    for total in (terms["task"], terms["task"] + constant)
]
assert gradients[0].any()
assert torch.equal(*gradients)

# %%
# The same with a new ``adapt``: the term falls, and the student has no gradient.
fresh, values = nn.Linear(8, 32), []
optimizer = torch.optim.Adam([*student.parameters(), *fresh.parameters()], lr=0.02)
for _ in range(30):
    optimizer.zero_grad()
    hint = F.mse_loss(fresh(features.detach()), teacher_features)
    hint.backward()
    optimizer.step()
    values.append(hint.item())
print(f"{values[0]:.2f} -> {values[-1]:.2f}", first.grad)
assert values[-1] < 0.7 * values[0]
assert all(parameter.grad is None for parameter in student.parameters())

# %% tags=["hide-input"]
# Which part of the student does each term train? Square: it gets a gradient. Cross: it
# gets none.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for name, reached in found.items():
    for part in parts:
        square = {"marker": "s", "fc": "none", "ec": "C0"}
        look = square if part in reached else {"marker": "x", "c": "C2"}
        ax.scatter(part, name, s=160, lw=2, **look)
ax.margins(0.2)
ax.invert_yaxis()
plt.show()

# %%
# Where is the student's feature lost?
# ------------------------------------
# Often in the hook that takes it out of the network. One hook serves both networks, and
# it stores ``output.detach()``, which is right for the teacher only. The same happens
# with ``.data``, or if the student also runs under the ``no_grad()`` of the teacher.
# Store the output itself, and let ``no_grad()`` around the teacher do the rest.
kept = {}


def keep(name, *, detach):
    def hook(module, inputs, output):
        kept[name] = output.detach() if detach else output

    return hook


for detach in (True, False):
    handles = [
        network.features.register_forward_hook(keep(name, detach=detach))
        for name, network in (("student", student), ("teacher", teacher))
    ]
    student(inputs)
    with torch.no_grad():
        teacher(inputs)
    for handle in handles:
        handle.remove()
    hint = F.mse_loss(adapt(kept["student"]), kept["teacher"])
    print(f"{detach=}:", trains(hint, **parts))
    assert trains(hint, **parts) == (["adapt"] if detach else ["features", "adapt"])
    assert not kept["teacher"].requires_grad

# %%
# ``adapt`` is not in the optimizer
# ---------------------------------
# Then it gets a gradient in each step and keeps its random weights, without an error.
# The student still gets a gradient through it, and learns to match a random projection.
# A layer that is made in the loss or in the loop, after the optimizer, ends like this,
# too: :doc:`losses_with_parameters`.
forgotten = nn.Linear(8, 32)
start = forgotten.weight.detach().clone()
only_student = torch.optim.Adam(student.parameters(), lr=0.02)
for _ in range(2):
    only_student.zero_grad()
    F.mse_loss(forgotten(student(inputs)[0]), teacher_features).backward()
    only_student.step()
print(forgotten.weight.grad.any().item(), forgotten.weight.equal(start))
assert forgotten.weight.grad.any()
assert forgotten.weight.equal(start)
assert student.features[0].weight.grad.any()


# %%
# Is an ``eval()`` teacher updated, if the optimizer holds it?
# ------------------------------------------------------------
# ``eval()`` switches dropout and batch norm, and freezes nothing. A teacher whose
# parameters require a gradient and are in the optimizer is trained, towards the
# student, unless it is under ``no_grad()`` or its output is detached: then ``.grad`` is
# None, and the optimizer skips it, weight decay included.
def teacher_after(way):
    torch.manual_seed(0)
    student, teacher = nn.Linear(4, 2), nn.Linear(4, 2).eval()
    if way == "frozen":
        teacher.requires_grad_(False)
    start = teacher.weight.detach().clone()
    both = [*student.parameters(), *teacher.parameters()]
    optimizer = torch.optim.AdamW(both, lr=0.1, weight_decay=0.1)
    for _ in range(3):
        with torch.set_grad_enabled(way != "no_grad()"):
            target = teacher(x)
        if way == "detach()":
            target = target.detach()
        optimizer.zero_grad()
        F.mse_loss(student(x), target).backward()
        optimizer.step()
    return not teacher.weight.equal(start), teacher.weight.grad is not None


updated = {}
for way in ("eval() only", "no_grad()", "detach()", "frozen"):
    updated[way], has_gradient = teacher_after(way)
    print(f"{way:12} updated: {updated[way]}, gradient: {has_gradient}")
    assert has_gradient == updated[way]
assert [way for way, is_updated in updated.items() if is_updated] == ["eval() only"]

# %%
# Leave it out of the optimizer and freeze it all the same. Without an optimizer nothing
# updates it, but ``backward()`` computes its gradients and keeps them: memory and time
# for nothing. Under ``no_grad()`` its activations are not kept, either.
loose = nn.Linear(4, 2).eval()
F.mse_loss(nn.Linear(4, 2)(x), loose(x)).backward()
print(loose.weight.grad is not None)
assert loose.weight.grad is not None

# %%
# The student is made of layers of the teacher: copy them
# -------------------------------------------------------
# ``nn.Sequential(*teacher[::2])``, or ``student.layer[0] = teacher.layer[0]``, copies
# nothing: both networks hold the same module. If you freeze the teacher, these layers
# of the student are frozen, too. If you don't, training the student changes the
# teacher. ``copy.deepcopy()`` separates them. The copy of a frozen network in
# ``eval()`` is frozen and in ``eval()``, so set both for the student.
import copy

large = nn.Sequential(*(nn.Linear(4, 4) for _ in range(4)))
large.requires_grad_(False).eval()
for way in ("shared", "deepcopy"):
    layers = large[::2] if way == "shared" else copy.deepcopy(large[::2])
    small = nn.Sequential(*layers)
    if way == "deepcopy":
        assert not any(p.requires_grad for p in small.parameters())
        assert not small[0].training
        small.requires_grad_(True).train()
    trains = [p.requires_grad for p in small.parameters()]
    shares = small[0] is large[0]
    print(f"{way:9} trains: {any(trains)}, shares: {shares}")
    assert all(trains) != shares
assert not any(p.requires_grad for p in large.parameters())

# %%
# Self-distillation: a second forward under ``no_grad()``, or ``detach()``?
# -------------------------------------------------------------------------
# If a network is its own teacher, and both need the same input, detach the output that
# you have: ``logits.detach()``. A second forward under ``no_grad()`` gives the same
# target and the same gradient, and costs a forward. Run it twice only if the teacher
# differs: other input, ``eval()`` in place of dropout, older weights.
early = nn.Linear(4, 4)
deep = small(x)
with torch.no_grad():
    second_forward = small(x)
gradients = [
    torch.autograd.grad(F.mse_loss(early(x), target), early.weight)[0]
    for target in (deep.detach(), second_forward)
]
print(gradients[0].allclose(gradients[1]))
torch.testing.assert_close(*gradients)

# %%
# May the teacher run in ``inference_mode()``, in half precision, in a ``Trainer``?
# ---------------------------------------------------------------------------------
# - ``inference_mode()``: clone the target outside of the block. Most losses save it for
#   their backward pass, which :doc:`an inference tensor
#   </reference/errors/inference_tensors_cannot_be_saved_for_backward>` does not allow.
#   With ``no_grad()`` nothing is needed.
# - Half precision: ``teacher.bfloat16()`` halves the memory of its weights. Convert
#   its output with ``.float()`` before the loss.
# - ``Trainer`` of transformers: override ``compute_loss()``, and keep the teacher as an
#   attribute of the trainer, not of the model: then it is neither in the optimizer nor
#   in the checkpoint. Move it to ``args.device`` yourself.
# - Lightning, accelerate, DDP, DeepSpeed:
#   :doc:`/gallery/frameworks/frozen_second_network`.
with torch.inference_mode():
    marked = large(x)
try:
    F.mse_loss(early(x), marked)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the target was not saved")
F.mse_loss(early(x), marked.clone()).backward()
coarse = copy.deepcopy(large).bfloat16()
with torch.no_grad():
    target = coarse(x.bfloat16()).float()
F.mse_loss(early(x), target).backward()
weights = [sum(p.nbytes for p in net.parameters()) for net in (large, coarse)]
assert weights[0] == 2 * weights[1]

# %%
# The KL loss is negative, or nan: ``F.kl_div`` takes log-probabilities first
# ---------------------------------------------------------------------------
# The first argument is ``log_softmax`` of the student, the second one ``softmax`` of
# the teacher, and ``reduction="batchmean"``. A KL divergence is never negative. If
# yours is, the first argument holds probabilities. No error is raised, and the student
# learns to give everything to the largest class of the teacher, instead of its
# distribution. If the second one holds log-probabilities, the loss is nan, unless you
# pass ``log_target=True``. The default, ``reduction="mean"``, also divides by the
# number of classes: with 1000 classes the term is 1000 times too small.
wanted = torch.tensor([[0.5, 0.3, 0.2]])
losses = {
    "softmax": lambda z: F.kl_div(z.softmax(1), wanted, reduction="batchmean"),
    "log_softmax": lambda z: F.kl_div(z.log_softmax(1), wanted, reduction="batchmean"),
}
learned = {}
for name, kl in losses.items():
    z = torch.zeros(1, 3, requires_grad=True)
    optimizer = torch.optim.SGD([z], lr=2.0)
    for _ in range(60):
        optimizer.zero_grad()
        loss = kl(z)
        loss.backward()
        optimizer.step()
    learned[name] = [round(p, 1) for p in z.softmax(1)[0].tolist()]
    print(f"{name:12}", learned[name], (loss < -1e-6).item())
assert learned["softmax"][0] > 0.9
assert learned["log_softmax"] == [0.5, 0.3, 0.2]
logs = wanted.log()
assert F.kl_div(z.log_softmax(1), logs, reduction="batchmean").isnan()
fine = F.kl_div(z.log_softmax(1), logs, reduction="batchmean", log_target=True)
assert fine.abs() < 1e-3

# %%
# Why ``T * T``? Is it needed, and which temperature and which ``alpha``?
# -----------------------------------------------------------------------
# The gradient of the soft loss falls with the square of the temperature, and the factor
# undoes that. You need it when there is a second term, such as the cross entropy with
# the labels: without it, a new T also changes the weight between both. If the soft
# loss is alone, it only scales the gradient, which Adam hardly notices, and SGD does.
# The same T belongs in both softmaxes, and in an evaluation there is none.
#
# T and ``alpha`` are to be tried out on a validation set. Hinton et al. report values
# from 1 to 20, lower ones for a small student, and a small weight for the labels
# (`paper <https://arxiv.org/abs/1503.02531>`__).
torch.manual_seed(0)
z, of_teacher = torch.randn(8, 5, requires_grad=True), torch.randn(8, 5)
norms = {}
for T in (1, 4, 16):
    kl = F.kl_div(
        (z / T).log_softmax(1), (of_teacher / T).softmax(1), reduction="batchmean"
    )
    norms[T] = torch.autograd.grad(kl, z)[0].norm().item()
    print(f"T={T:<3} {norms[T]:.5f}  times T * T: {T * T * norms[T]:.2f}")
assert norms[16] < norms[1] / 100
assert 0.5 < 16**2 * norms[16] / norms[1] < 2

# %%
# Where it ends
# -------------
# - A teacher that is an attribute of the student's module goes into training mode with
#   each ``train()``, its batch norm then moves under ``no_grad()``, too, and its
#   weights are in ``student.parameters()`` and in the file that you save. Keep it
#   outside.
# - DDP waits for the gradient of each parameter that requires one when it wraps the
#   module. That is another reason to freeze the teacher, or to keep it outside:
#   :doc:`/reference/errors/expected_to_have_finished_reduction`.
# - A gradient from the teacher's own training that is still there when it joins an
#   optimizer moves it, :doc:`frozen or not </gallery/still-moves/stale_gradients>`,
#   unless ``zero_grad()`` comes before ``step()``.
# - A teacher that is an average of its student: :doc:`ema_teacher`. If two networks
#   teach each other, detach the other one in each loss.
student.teacher = teacher
student.train()
assert teacher.training
moving = teacher.features[1].running_mean.clone()
with torch.no_grad():
    teacher(inputs)
assert not moving.equal(teacher.features[1].running_mean)
assert any(name.startswith("teacher.") for name in student.state_dict())

for clears in (False, True):
    old = nn.Parameter(torch.ones(1))
    old.grad = torch.ones(1)
    old.requires_grad_(False)
    optimizer = torch.optim.SGD([old], lr=0.1)
    if clears:
        optimizer.zero_grad()
    optimizer.step()
    assert (old.item() == 1) == clears

one, other = nn.Linear(4, 2), nn.Linear(4, 2)
mutual = F.mse_loss(one(x), other(x).detach()) + F.mse_loss(other(x), one(x).detach())
torch.testing.assert_close(
    torch.autograd.grad(mutual, one.weight, retain_graph=True),
    torch.autograd.grad(F.mse_loss(one(x), other(x).detach()), one.weight),
)

# %%
# Freeze the teacher, put it into ``eval()``, run it under ``no_grad()``, and ask each
# term of the loss what it trains. Sources: `Distilling the Knowledge in a Neural
# Network <https://arxiv.org/abs/1503.02531>`__, `FitNets: Hints for Thin Deep Nets
# <https://arxiv.org/abs/1412.6550>`__, :torch:`torch.autograd.grad`.
#
# Related: :doc:`ema_teacher`, :doc:`stop_gradient_in_siamese_networks`,
# :doc:`/gallery/still-moves/eval_is_not_no_grad`,
# :doc:`/gallery/graph/gradients_of_some_inputs`.
