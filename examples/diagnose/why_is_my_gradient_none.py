"""
Why a gradient is None: explain names the cause, and the line of a cut
======================================================================

After ``backward()``, ``param.grad`` can be None for many reasons, which all look the
same. Pass :py:func:`gradguide.explain` the model, a function that computes the loss,
and the optimizer.
"""

# %%
import torch
from torch import nn

# Install it: pip install git+https://github.com/gradguide/gradguide
from gradguide import explain

model = nn.ModuleDict({"neck": nn.Linear(4, 8), "head": nn.Linear(8, 3)})


def compute_loss():
    features = model["neck"](torch.ones(2, 4)).detach()
    return model["head"](features).sum()


compute_loss().backward()
print(model["neck"].weight.grad)
print(explain(model, compute_loss, torch.optim.SGD(model.parameters())))
assert model["neck"].weight.grad is None

# %%
# Which gradients are None?
# -------------------------
# The next network has three parts without a gradient, and two that get a gradient and
# don't learn. The pretrained backbone is frozen on purpose. The other four are
# mistakes, and no error is raised.
import re


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(4, 8).requires_grad_(False)
        self.neck = nn.Linear(8, 8)
        self.blocks = [nn.Linear(8, 8), nn.Linear(8, 8)]
        self.head = nn.Linear(8, 10)
        self.spare = nn.Linear(8, 10)

    def features(self, images):
        return self.neck(self.backbone(images).tanh()).detach()

    def forward(self, images):
        hidden = self.features(images)
        for block in self.blocks:
            hidden = block(hidden).tanh()
        return self.head(hidden)


def compute_loss():
    return nn.functional.cross_entropy(model(images), labels)


torch.manual_seed(0)
model = Network()
optimizer = torch.optim.SGD(model.named_parameters(), lr=0.1)
model.head = nn.Linear(8, 3)
images, labels = torch.randn(16, 4), torch.arange(16) % 3
loss = compute_loss()
loss.backward()
missing = {n.split(".")[0] for n, p in model.named_parameters() if p.grad is None}
print(sorted(missing))
assert missing == {"backbone", "neck", "spare"}
assert model.head.weight.grad is not None
assert model.blocks[0].weight.grad is not None

# %%
# The more you pass, the more it knows
# ------------------------------------
# That list says which, not why. ``head`` and ``blocks`` don't learn either, and are not
# on it.
#
# :py:func:`gradguide.explain` with the model alone tells what is frozen. The first line
# counts the parameters. Each line below has a verdict, a name, the number of values,
# and the reason. ``trains`` means that nothing was found yet that keeps it from
# training.
print(explain(model))

# %%
# The optimizer was built before the new ``head``. It still holds the old one
# (``orphan``), and no ``step()`` applies the gradient of the new one. The report knows
# the name of the old one because the optimizer was given ``named_parameters()``.
report = explain(model, optimizer)
print(report)
assert {"orphan", "not in optimizer"} <= {row.verdict for row in report}

# %%
# The loss reaches neither ``neck`` nor ``spare``. It does reach ``blocks``, which were
# in no report so far: the forward calls the layers in the plain list, but
# ``parameters()`` doesn't return theirs (``unregistered``).
report = explain(model, loss, optimizer)
print(report)
assert {"unreached", "unregistered"} <= {row.verdict for row in report}

# %%
# Why ``unreached``? A loss that is already computed does not show the cause. So pass
# *the function that computes it*, which ``explain`` runs once. Now there is a cause,
# and for ``neck`` a line: that of ``detach()`` in ``features``. ``spare`` is never
# read, so there is no line to name.
report = explain(model, compute_loss, optimizer)
print(report)
rows = {row.name: row for row in report}
assert rows["neck.weight"][1:3] == ("cut", "detach()")
blamed = int(rows["neck.weight"].where.rpartition(":")[2])
assert blamed == Network.features.__code__.co_firstlineno + 1
assert rows["spare.weight"][1:4] == ("unused", "never read in the forward", "")

# %%
# As the last line of a notebook's cell, a report is a table:
report

# %%
# One cause after another
# -----------------------
# Leave out ``detach()``, register the blocks, delete what is not used. Build the
# optimizer last, since it takes only the parameters that exist then. ``problems`` holds
# the rows that you should act on; ``trains``, ``frozen`` and ``unknown`` are not among
# them.


def check(fix):
    reports[fix] = explain(model, compute_loss, optimizer)
    print(fix, sorted({row.verdict for row in reports[fix].problems}))


reports = {}
check("broken")
Network.features = lambda self, images: self.neck(self.backbone(images).tanh())
check("features")
model.blocks = nn.ModuleList(model.blocks)
check("blocks")
del model.spare
check("spare")
optimizer = torch.optim.SGD(model.named_parameters(), lr=0.1)
check("optimizer")
print(reports["optimizer"])
assert len(reports["broken"].problems) == 12
assert not reports["optimizer"].problems

# %% tags=["hide-input"]
# From left to right, the report after each fix. An open square trains, a hatched one is
# frozen, a cross is a problem. The blocks and the spare head go from one problem to
# another (deleted, it is still held by the optimizer); a new optimizer solves the rest.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
trains = {"marker": "s", "fc": "none", "ec": "C0"}
looks = {"trains": trains, "frozen": trains | {"ec": "C1", "hatch": "//////"}}
verdicts = {
    (fix, "optimizer" if kind == "optimizer" else re.split(r"[.[]", name)[0]): verdict
    for fix, report in reports.items()
    for name, verdict, *_, kind in report
}
for place, verdict in verdicts.items():
    look = looks.get(verdict, {"marker": "x", "c": "C2"})
    ax.scatter(*place, s=150, lw=2, **look)
    if verdict not in looks:
        ax.text(*place, f"\n{verdict}", ha="center", va="top", size=8)
ax.margins(0.1, 0.15)
ax.invert_yaxis()
plt.show()

# %%
# ``.grad`` is None in a callback of the Trainer, in Lightning or with DeepSpeed
# ------------------------------------------------------------------------------
# The loss falls, the logged ``grad_norm`` is above zero, and your code reads None for
# each parameter. Then the gradients were there and have been cleared, or they are kept
# elsewhere. Read them after ``backward()`` and before ``zero_grad()``:
#
# - ``Trainer`` of transformers: in the callback ``on_pre_optimizer_step()``. In
#   ``on_step_end()`` they are cleared (`trainer.py
#   <https://github.com/huggingface/transformers/blob/main/src/transformers/trainer.py>`__).
# - Lightning: in ``on_after_backward()`` or ``on_before_optimizer_step()``.
# - Accelerate: between ``accelerator.backward(loss)`` and ``optimizer.zero_grad()``.
# - DeepSpeed: ``safe_get_full_grad(parameter)`` of ``deepspeed.utils``, after
#   ``engine.backward(loss)``. ``.grad`` itself is None (`DeepSpeed about it
#   <https://deepspeed.readthedocs.io/en/latest/zero3.html>`__).
# - FSDP: :doc:`/gallery/beyond/freezing_under_fsdp`.
#
# These were read, and not run here. In plain PyTorch, Accelerate and Lightning, a hook
# of the parameter sees the gradient wherever the loop clears it. Register it before the
# training:
norms = {}


def register(model):
    for name, p in model.named_parameters():
        if p.requires_grad:
            p.register_post_accumulate_grad_hook(
                lambda p, name=name: norms.update({name: p.grad.norm().item()})
            )


def step_of_a_library(model):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()


layers = nn.Sequential(nn.Linear(4, 2).requires_grad_(False), nn.Linear(2, 1))
register(layers)
step_of_a_library(layers)
print([p.grad for p in layers.parameters()], sorted(norms))
assert all(p.grad is None for p in layers.parameters())
assert sorted(norms) == ["1.bias", "1.weight"]
assert norms["1.bias"] == 2

# %%
# All gradients are None under DeepSpeed ZeRO: are the weights updated?
# ---------------------------------------------------------------------
# The None does not answer that: ZeRO keeps the gradients in buffers of its own, and
# ``GatheredParameters`` collects weights, not gradients. Compare the weights, before
# and after ``engine.step()``, in fp32: ``safe_get_full_fp32_param(parameter)`` of
# ``deepspeed.utils``, cloned. Call it on all processes, or it waits forever. For a
# frozen parameter it returns None (`DeepSpeed's documentation
# <https://deepspeed.readthedocs.io/en/latest/zero3.html>`__ and `tests
# <https://github.com/deepspeedai/DeepSpeed/blob/master/tests/unit/v1/zero/test_zero_tensor_fragment.py>`__,
# read, not run).
#
# Do not judge by the bf16 weights, and not by their mean or norm. A step with a small
# learning rate changes each fp32 weight, and few of the bf16 ones, so their mean looks
# the same. Over many steps they follow. If there is no fp32 copy, small updates are
# lost: :doc:`/gallery/beyond/bfloat16_updates_are_rounded_away`.
torch.manual_seed(0)
master = nn.Parameter(0.02 * torch.randn(2000))  # what ZeRO keeps in fp32
optimizer = torch.optim.AdamW([master], lr=1e-5)
start = master.detach().clone()
changed, means = {}, []
for step in range(101):
    weight = master.detach().bfloat16()  # what the model computes with
    means.append(f"{weight.float().mean():.5f}")
    if step in {1, 100}:
        pairs = {"fp32": (master, start), "bf16": (weight, start.bfloat16())}
        for name, (now, old) in pairs.items():
            changed[name, step] = (now != old).float().mean().item()
            print(f"after {step:3} steps, {name} changed: {changed[name, step]:.0%}")
    master.grad = torch.randn(2000)
    optimizer.step()
print("mean of the bf16 weights:", *means[:2])
assert means[0] == means[1]
assert changed["fp32", 1] > 0.99
assert changed["bf16", 1] < 0.5 < changed["bf16", 100]

# %%
# How do I pass my model to ``explain()``?
# ----------------------------------------
# The second argument computes the loss of one batch, as your training step does:
#
# - transformers, PEFT: ``explain(model, lambda: model(**batch).loss)``
# - Lightning: ``explain(module, lambda: module.training_step(batch, 0))``
# - under DDP or ``DataParallel``: ``model.module`` in place of ``model``, in one
#   process
# - a GAN: both networks as ``nn.ModuleDict``, once with the loss of the generator and
#   once with that of the discriminator
# - a step that is one function with its own ``backward()``: :doc:`watch_a_real_step`

# %%
# The parameters of the last layer are not updated, all others are
# ----------------------------------------------------------------
# All layers run, but the loss uses a hidden state from before the last one. So nothing
# leads from the loss to the parameters of the last layer, and their gradient stays
# None. LLaVA with ``mm_vision_select_layer=-2``, for example, takes the features of its
# vision tower, a ViT, from ``hidden_states[-2]`` (read in `its source
# <https://github.com/haotian-liu/LLaVA/blob/main/llava/model/multimodal_encoder/clip_encoder.py>`__,
# not run). That is no mistake: freeze the layers behind this state, or don't run them.
# Under DDP, parameters that require a gradient and get none raise an error.
tower = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))


def hidden_states(x):
    states = [x]
    for layer in tower:
        states.append(layer(states[-1]))
    return states


def state_loss(index):
    return hidden_states(images)[index].sum()


report = explain(tower, lambda: state_loss(-2))
print(report)
assert {row.name for row in report.problems} == {"2.weight", "2.bias"}
assert "its result never reaches the loss" in str(report)
assert not explain(tower, lambda: state_loss(-1)).problems

# %%
# ``gamma`` and ``beta`` have ``grad=None``, all others are right: is that normal?
# --------------------------------------------------------------------------------
# No. A parameter that is to be trained has a gradient after ``backward()``. If it is
# None, the optimizer skips the parameter, weight decay too, so it keeps its initial
# value for the whole training (LBFGS alone uses zeros in its place). It is normal only
# for a part that you froze, or that this step does not use.
#
# If a module that you copied has single parameters without a gradient, such as the
# scale and shift of a normalisation written by hand, the mistake is in its
# ``forward()``. Look at each line in which the parameter stands: ``.data``,
# ``.detach()``, ``.item()``, ``torch.tensor(gamma)`` or ``nn.Parameter(...)`` around
# it, ``no_grad()``, a comparison (``gamma > threshold``), or a result that nobody uses.
# Write the parameter itself there. ``explain`` names the cause and
# the line.


class Normalise(nn.Module):
    def __init__(self, *, right):
        super().__init__()
        self.gamma, self.beta = (
            nn.Parameter(torch.ones(4)),
            nn.Parameter(torch.zeros(4)),
        )
        self.right = right

    def forward(self, x):
        x = (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-5)
        if self.right:
            return x * self.gamma + self.beta
        # Wrong: without a graph.
        return x * self.gamma.data + self.beta.detach()


missing = {}
for right in (False, True):
    gn, last = Normalise(right=right), nn.Linear(4, 1)
    net = nn.ModuleDict({"gn": gn, "last": last})
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.1, weight_decay=0.1)
    last(gn(images)).square().sum().backward()
    missing[right] = [name for name, p in net.named_parameters() if p.grad is None]
    optimizer.step()
    print(missing[right], "updated:", not gn.gamma.equal(torch.ones(4)))
    assert gn.gamma.equal(torch.ones(4)) != right
assert missing == {False: ["gn.gamma", "gn.beta"], True: []}

# %%
# ``edge_weight.grad`` is None: a method returned a new object
# ------------------------------------------------------------
# Keep what such a method returns: ``edge_index = edge_index.set_value(weight)``. With
# PyTorch Geometric, ``SparseTensor.set_value()`` leaves the object as it is and returns
# a new one with the values. If the line has no ``=``, the parameter never enters the
# graph, and no error is raised (`issue 7401
# <https://github.com/pyg-team/pytorch_geometric/issues/7401>`__, read and not run).
#
# If you keep the result and ``edge_weight`` still has no gradient, upgrade PyG. Before
# a fix of May 2023, the product with a sparse matrix, ``torch_geometric.utils.spmm()``,
# lost the gradient of the values (`pull request 7428
# <https://github.com/pyg-team/pytorch_geometric/pull/7428>`__, read and not run).
#
# It is the same with most methods of tensors: ``add()``, ``mul()``, ``masked_fill()``,
# ``index_add()`` and ``scatter()`` return a new tensor. Only those with an underscore
# change the old one. ``explain`` says that the result never reaches the loss.
gate = nn.ParameterDict({"edge_weight": torch.zeros(3)})
rows, nodes = torch.tensor([0, 1, 1]), torch.ones(2, 4)


def gated(keep):
    messages = torch.ones(3, 4)
    # Wrong: the product is thrown away.
    messages.mul(gate["edge_weight"].sigmoid()[:, None])
    if keep:
        # Right: the product is kept.
        messages = messages.mul(gate["edge_weight"].sigmoid()[:, None])
    return nodes.index_add(0, rows, messages).sum()


report = explain(gate, lambda: gated(keep=False))
print(report)
assert [row.name for row in report.problems] == ["edge_weight"]
assert "its result never reaches the loss" in str(report)
assert not explain(gate, lambda: gated(keep=True)).problems

# %%
# Opacus: ``Per sample gradient is not initialized. Not updated in backward pass?``
# ---------------------------------------------------------------------------------
# Freeze the layers that the forward does not use, before ``make_private()``. The
# optimizer of Opacus wants a gradient per sample, ``grad_sample``, from each parameter
# that requires a gradient. With blocks that only a later stage uses, as in progressive
# growing, some parameters have no ``grad_sample``, and ``step()`` raises this
# ``ValueError`` (read in `its source
# <https://github.com/meta-pytorch/opacus/blob/main/opacus/optimizers/optimizer.py>`__,
# not run). ``explain`` names the layers on the plain model.
#
# When a later stage begins, unfreezing its blocks is not enough: the first
# ``make_private()`` put its hooks only on layers that were trainable then (`pull
# request 729 <https://github.com/meta-pytorch/opacus/pull/729>`__). Do these steps in
# this order (read in the source, not run):
#
# - ``model = model.to_standard_module()`` removes the wrapper and its hooks. Without
#   it, a second ``make_private()`` leaves the wrapped model as it is. With the plain
#   model, which still has the hooks, it raises ``Trying to add hooks twice to the same
#   model``.
# - Unfreeze the blocks, and make a new optimizer.
# - Call ``make_private()`` of the same ``PrivacyEngine``, which goes on counting the
#   privacy that is spent, with this model and this optimizer.
stages = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))


def first_stages(count):
    return nn.Sequential(*stages[:count])(images).sum()


unused = [row.name for row in explain(stages, lambda: first_stages(2)).problems]
print(unused)
assert unused == ["2.weight", "2.bias"]
for name in unused:
    stages.get_parameter(name).requires_grad_(False)
assert not explain(stages, lambda: first_stages(2)).problems

# %%
# Where it ends
# -------------
# - ``trains`` means that the gradient arrives. Its value is not judged: this ``relu()``
#   makes it zero, and ``gradients=True`` finds that.
# - A cause that can't be observed is ``unknown``, as for the last bias under a gradient
#   penalty. The bias has no effect on that loss.
# - The parameters of a second network are ``unregistered``. Pass both as one
#   ``nn.ModuleDict``, or freeze the second while the first trains.
# - The function is run. A ``torch.Generator`` of your own, and a second network that is
#   not passed, are not reset afterwards.
generator, critic = nn.Linear(4, 4), nn.Linear(4, 1)
source = torch.Generator().manual_seed(0)
state = source.get_state()


def generator_loss():
    noise = torch.randn(2, 4, generator=source)
    return critic(generator(noise)).sum()


def zero_loss():
    return (generator(images) - 1000).relu().sum()


def penalty():
    inputs = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(inputs).sum(), inputs, create_graph=True)
    return gradient.square().sum()


def verdicts(model, function, **options):
    return {row.verdict for row in explain(model, function, **options)}


both = nn.ModuleDict({"generator": generator, "critic": critic})
assert verdicts(generator, zero_loss) == {"trains"}
assert verdicts(generator, zero_loss, gradients=True) == {"zero"}
assert verdicts(critic, penalty) == {"trains", "unknown"}
assert verdicts(generator, generator_loss) == {"trains", "unregistered"}
assert not source.get_state().equal(state)
assert verdicts(both, generator_loss) == {"trains"}
critic.requires_grad_(False)
assert verdicts(generator, generator_loss) == {"trains"}

# %%
# In a script that trains one network, before the first step:
# ``assert not explain(model, compute_loss, optimizer).problems``.
#
# Related: :doc:`will_it_really_stay_frozen`, :doc:`read_a_graph`,
# :doc:`/gallery/three-ways/detach_cuts_one_tensor`.
