"""
state_dict() does not save requires_grad: freeze again after loading
====================================================================

A ``state_dict()`` holds values, not which parameters are frozen. After you have created
the model again and loaded its weights, it trains. Save the names of what is frozen,
too.
"""

# %%
# The same file, loaded without and with the names.
import torch

saved = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
saved[0].requires_grad_(False)
names = [n for n, p in saved.named_parameters() if not p.requires_grad]
file = {"weights": saved.state_dict(), "frozen": names}

loaded = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
loaded.load_state_dict(file["weights"])
print(loaded[0].weight.requires_grad)
for name in file["frozen"]:
    loaded.get_parameter(name).requires_grad_(False)
print(loaded[0].weight.requires_grad, loaded[1].weight.requires_grad)

# %%
# The values in a ``state_dict()`` are detached. After ``load_state_dict()``, the
# parameters of the model have the ``requires_grad`` that they had before.
import copy
import io
import pickle

saved = torch.nn.Linear(2, 1).requires_grad_(False)
again = torch.nn.Linear(2, 1)
again.load_state_dict(saved.state_dict())
assert torch.equal(saved.weight, again.weight)
assert again.weight.requires_grad
flags = [p.requires_grad for p in loaded.parameters()]
assert flags == [False, False, True, True]

# %%
# So a frozen model that loads a checkpoint stays frozen, also with ``assign=True``. But
# that puts other parameters in the place of the old ones: an optimizer that was made
# before trains tensors that the model no longer has.
for assign in (False, True):
    frozen = torch.nn.Linear(2, 1).requires_grad_(False)
    old = frozen.weight
    frozen.load_state_dict(torch.nn.Linear(2, 1).state_dict(), assign=assign)
    assert not frozen.weight.requires_grad
    assert (frozen.weight is not old) == assign


# %%
# Resume the training of a model with frozen layers: what to save, in which order
# -------------------------------------------------------------------------------
# Save the states of the model, the optimizer, the scheduler and the ``GradScaler``, and
# the names of what is frozen. To resume:
#
# - build the model, and freeze by the names,
# - build the optimizer from the same parameters in the same order, then the scheduler,
# - load all states, and call ``train()`` and ``eval()`` as before: a file does not hold
#   the modes.
#
# Whether you load the weights before or after you freeze makes no difference. An
# optimizer that was built from the trainable parameters alone is different: freeze
# before you build it. If you want to resume with other layers frozen, give it all
# parameters from the start. Otherwise the numbers differ:
# :doc:`/reference/errors/parameter_group_that_doesnt_match_the_size`. To compare with
# the uninterrupted run, save the state of the random numbers as well
# (``torch.get_rng_state()``).


def build(frozen):
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1)
    )
    for name in frozen:
        model.get_parameter(name).requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    return model, optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 2)


def train(model, optimizer, scheduler, steps):
    model.train()
    model[:2].eval()  # the frozen part
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.ones(4, 2)).square().sum().backward()
        optimizer.step()
        scheduler.step()


states = "model", "optimizer", "scheduler"
frozen = ["0.weight", "0.bias", "1.weight", "1.bias"]
parts = build(frozen)
train(*parts, steps=3)
checkpoint = {n: part.state_dict() for n, part in zip(states, parts, strict=True)}
stream = io.BytesIO()
torch.save({**checkpoint, "frozen": frozen}, stream)
train(*parts, steps=3)

stream.seek(0)
checkpoint = torch.load(stream)
resumed = build(checkpoint["frozen"])
for name, part in zip(states, resumed, strict=True):
    part.load_state_dict(checkpoint[name])
train(*resumed, steps=3)
print([p.requires_grad for p in resumed[0].parameters()])
assert all(map(torch.equal, resumed[0].parameters(), parts[0].parameters()))
assert resumed[2].get_last_lr() == parts[2].get_last_lr()
assert [n for n, p in resumed[0].named_parameters() if not p.requires_grad] == frozen

# %%
# LoRA, ``resume_from_checkpoint``: the loss jumps, as if the training began again
# --------------------------------------------------------------------------------
# That is not normal. Resume with the same settings, ``num_train_epochs`` too, and
# compare three values with those before the stop: the loss of an evaluation before the
# first step, the norm of each ``lora_B`` (at zero, no adapter was loaded), and the
# first logged learning rate. They tell what is missing:
#
# - *The evaluation is worse*: weights are missing. A head that is not in the adapter's
#   file, as the value head of a reward model or a new classifier, is random again, and
#   ``strict=False`` raises nothing. Save it with the adapter
#   (:doc:`/gallery/frameworks/modules_to_save`). Or a new adapter was made instead of
#   loading the old one.
# - *It is equal, and the rate is not*: the schedule has another length. With twice as
#   many epochs, a cosine that had come to its end goes on from its middle, as below. If
#   you want to train longer, load the weights alone and start a new training with a
#   small rate.
# - *Both are equal, and the loss jumps after some steps*: the state of the optimizer
#   is missing.
# - *All three are equal, and only the logged loss is higher*: it is that of other
#   samples. In a second epoch, the loss before the stop was that of samples the model
#   had learned. New data, another order or another dtype change it, and not the model.
#
# Loading the adapter alone, as ``PeftModel.from_pretrained()`` does, is a *new*
# training: Adam, the warm-up and the order of the data begin again (`LLaMA-Factory 512
# <https://github.com/hiyouga/LlamaFactory/issues/512>`__, read, not run).
# ``resume_from_checkpoint`` of the ``Trainer`` restores them, if the folder has
# ``optimizer.pt``, ``scheduler.pt`` and ``trainer_state.json``. The first steps of a
# new Adam are about as long as the rate, however small the gradient is, and move
# converged weights away, as in the second cell.
import math


def cosine(model, total):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: (1 + math.cos(math.pi * step / total)) / 2
    )
    return optimizer, scheduler


model, rates = torch.nn.Linear(2, 1), {}
optimizer, scheduler = cosine(model, total=100)
for _ in range(99):
    optimizer.step()
    scheduler.step()
file = optimizer.state_dict(), scheduler.state_dict()
for total in (100, 200):
    optimizer, scheduler = cosine(model, total)
    optimizer.load_state_dict(file[0])
    scheduler.load_state_dict(file[1])
    optimizer.step()
    scheduler.step()
    (rates[total],) = scheduler.get_last_lr()
    print(f"{total=}: {rates[total]:.1e}")
assert rates[100] < 1e-8
assert abs(rates[200] - 5e-5) < 1e-6

# %%
# A converged model goes on with the state of its optimizer, and without it.
data = torch.linspace(-1, 1, 8)[:, None]


def fit(model, optimizer, steps):
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        losses.append((model(data) - data - data.cos()).square().mean())
        losses[-1].backward()
        optimizer.step()
    return losses


model, highest = torch.nn.Linear(1, 1), {}
optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
before = min(fit(model, optimizer, 150))
file = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
for way in ("resumed", "weights alone"):
    model.load_state_dict(file[0])
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
    if way == "resumed":
        optimizer.load_state_dict(copy.deepcopy(file[1]))
    highest[way] = (max(fit(model, optimizer, 20)) / before).item()
    print(f"{way:14}{highest[way]:.2f}")
assert highest["resumed"] < 1.02
assert highest["weights alone"] > 1.05

# %%
# What ``strict=False`` does not say: the head of a reward model is not in the file.
adapter = {"lora_B.weight": torch.ones(2, 2)}
reward = torch.nn.ModuleDict(
    {"lora_B": torch.nn.Linear(2, 2, bias=False), "v_head": torch.nn.Linear(2, 1)}
)
keys = reward.load_state_dict(adapter, strict=False)
print(keys.missing_keys)
assert keys.missing_keys == ["v_head.weight", "v_head.bias"]


# %%
# Which copies stay frozen?
# -------------------------
# Copies of a whole module, and a parameter that is pickled. A new ``Parameter`` made
# from a frozen one trains.
def through_a_file(thing):
    file = io.BytesIO()
    torch.save(thing, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


kept = {
    "load_state_dict": not again.weight.requires_grad,
    "deepcopy": not copy.deepcopy(saved).weight.requires_grad,
    "torch.save(module)": not through_a_file(saved).weight.requires_grad,
    "pickle(parameter)": not pickle.loads(pickle.dumps(saved.weight)).requires_grad,
    "module.double()": not copy.deepcopy(saved).double().weight.requires_grad,
    "Parameter(parameter)": not torch.nn.Parameter(saved.weight).requires_grad,
}
print(kept)
assert [way for way, ok in kept.items() if not ok] == [
    "load_state_dict",
    "Parameter(parameter)",
]

# %% tags=["hide-input"]
# Hatched square: the copy is frozen, too. Cross: it trains.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for way, ok in kept.items():
    hatched = {"marker": "s", "fc": "none", "ec": "C1", "hatch": "//////"}
    ax.scatter(0, way, s=180, lw=2, **(hatched if ok else {"marker": "x", "c": "C2"}))
ax.set_xticks([0], ["frozen"])
ax.margins(0.5, 0.2)
ax.invert_yaxis()
plt.show()

# %%
# Why can't my model be copied? Only graph leaves support the deepcopy protocol
# -----------------------------------------------------------------------------
# A result is tied to its graph, and ``deepcopy`` does not copy graphs. So a module that
# keeps an output with a graph as an attribute can't be deep-copied. Detach the output
# before you keep it.
model = torch.nn.Linear(2, 1)
model.cache = model(torch.ones(1, 2))
try:
    copy.deepcopy(model)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a result was copied")
model.cache = model.cache.detach()
copy.deepcopy(model)

# %%
# Cowardly refusing to serialize non-leaf tensor which requires_grad
# ------------------------------------------------------------------
# A graph can't go from one process to another. The queues and pipes of
# ``multiprocessing`` pickle what they send with a ``ForkingPickler``, which raises this
# error. Leaves can be sent. A pipe raises it where you send. A queue raises it in a
# thread of the sender: its traceback is printed there, and the receiver waits. Send
# ``result.detach()``.
import multiprocessing
from multiprocessing.reduction import ForkingPickler

result = torch.ones(2, requires_grad=True) * 2
try:
    ForkingPickler.dumps(result)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a result was sent")
ForkingPickler.dumps(result.detach())
ForkingPickler.dumps(torch.ones(2, requires_grad=True))

_, pipe = multiprocessing.Pipe()
try:
    pipe.send(result)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a result was sent")
assert "Cowardly refusing" in message
raised = []
queue = multiprocessing.Queue()
queue._on_queue_feeder_error = lambda error, _: raised.append(str(error))
queue.put(result)
queue.close()
queue.join_thread()
assert "Cowardly refusing" in raised[0]

# %%
# Without workers, a ``DataLoader`` hands the graph on without an error, and each batch
# leads back to the tensor that made it.
scale = torch.ones(1, requires_grad=True)
batch = next(iter(torch.utils.data.DataLoader([scale * i for i in range(2)])))
print(batch.requires_grad)
assert batch.requires_grad

# %%
# nn.DataParallel: a counter that forward sets goes back to its old value
# -----------------------------------------------------------------------
# With several GPUs, :torch:`torch.nn.DataParallel` runs each forward pass on copies of
# the module and then throws them away. What ``forward()`` assigns to an attribute or a
# buffer is lost, in training as in evaluation. It stays if you call the module without
# the wrapper, as it is often done in ``eval()``, or with one GPU. An *in-place*
# change of a buffer stays, because the copy on the first GPU shares its memory. Better,
# use ``DistributedDataParallel``, which makes no copies. Here is one such copy, made on
# the CPU by the method that ``DataParallel`` calls:


class Counter(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2))
        self.calls = 0
        self.register_buffer("assigned", torch.zeros(()))
        self.register_buffer("in_place", torch.zeros(()))

    def forward(self, x):
        self.calls += 1  # lost
        self.assigned = self.assigned + 1  # lost
        self.in_place += 1  # stays
        return x


counter = Counter()
replica = counter._replicate_for_data_parallel()
replica(torch.ones(1))
print(counter.calls, counter.assigned.item(), counter.in_place.item())
assert (counter.calls, counter.assigned, counter.in_place) == (0, 0, 1)
assert replica.calls == 1
counter(torch.ones(1))
assert (counter.calls, counter.assigned) == (1, 1)

# %%
# nn.DataParallel: ``self.parameters()`` is empty in forward, ``StopIteration``
# -----------------------------------------------------------------------------
# Since PyTorch 1.5 the copies have no parameters (`the change
# <https://github.com/pytorch/pytorch/pull/33907>`__): what they hold as ``self.weight``
# is the result of a broadcast, no leaf. It can be computed with, and its gradient comes
# to the original. But in ``forward()`` ``parameters()`` is empty,
# ``next(self.parameters()).device`` raises ``StopIteration``, a norm of the weights is
# that of nothing, and ``self.requires_grad_(False)`` freezes nothing, without an error.
#
# - Take the device and the dtype from the input, ``x.device``, or from a weight by its
#   name, ``self.layer.weight.dtype``, or from a buffer.
# - Freeze, list and penalise the parameters outside, on ``wrapped.module``.
# - ``DistributedDataParallel`` makes no copies, and ``forward()`` sees its parameters.
assert list(replica.parameters()) == []
assert [name for name, _ in replica.named_buffers()] == ["assigned", "in_place"]
try:
    next(replica.parameters())
except StopIteration as error:
    print(type(error).__name__)
else:
    raise AssertionError("the copy had a parameter")
replica.requires_grad_(False)
assert counter.weight.requires_grad

# Right: what the copy gets is a result that leads to the original.
replica.weight = counter.weight * 1  # in place of the broadcast to a second GPU
print(list(replica.parameters()), replica.weight.is_leaf, replica.weight.dtype)
replica.weight.sum().backward()
assert list(replica.parameters()) == []
assert counter.weight.grad.tolist() == [1, 1]

# %%
# Save only the trainable parameters: a small file, loaded with ``strict=False``
# ------------------------------------------------------------------------------
# Take the ``state_dict()`` without the frozen parameters, so that the buffers stay in
# it: the running statistics of a batch norm that trained are as much a part of the
# model as its weights. Code that collects ``named_parameters()`` with ``requires_grad``
# leaves them out, and ``strict=False`` then loads without an error. So look at what it
# returns: nothing may be unexpected, and only frozen names may be missing.
# ``save_pretrained()`` of peft saves the adapters alone, without the base.
model = torch.nn.Sequential(
    torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 1)
)
backbone = copy.deepcopy(model[0].state_dict())
model[0].requires_grad_(False)
model(torch.randn(8, 2) + 5)
not_trained = {n for n, p in model.named_parameters() if not p.requires_grad}
files = {
    "parameters": {n: p.data for n, p in model.named_parameters() if p.requires_grad},
    "all but frozen": {
        n: t for n, t in model.state_dict().items() if n not in not_trained
    },
}
for way, small in files.items():
    fresh = torch.nn.Sequential(
        torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 1)
    )
    fresh[0].load_state_dict(backbone)
    keys = fresh.load_state_dict(small, strict=False)
    lost = sorted(set(keys.missing_keys) - not_trained)
    x = torch.ones(1, 2)
    same = fresh.eval()(x).equal(model.eval()(x))
    print(f"{way:15}{same!s:6}{lost}")
    assert not keys.unexpected_keys
    assert same == (way == "all but frozen") == (not lost)

# %%
# DeepSpeed: frozen parameters are not saved in the checkpoint, or not restored
# -----------------------------------------------------------------------------
# The state of the optimizer, from which ``zero_to_fp32.py`` builds the weights, has no
# frozen parameters. ``save_checkpoint()`` writes them in addition only at ZeRO stage 2
# or 3, and not with ``exclude_frozen_parameters=True``. So:
#
# - *Stage 0 or 1:* the script leaves them out (or finds no state of ZeRO at stage 0).
#   But the file ``mp_rank_00_model_states.pt`` has the whole ``state_dict()`` in the
#   compute dtype, below ``"module"``. Read that, save ``engine.module.state_dict()`` on
#   rank 0 yourself, or use stage 2.
# - *Stage 2 or 3:* they are saved. If not, print ``engine.zero_optimization_stage()``:
#   the configuration may not be the one that is used. At stage 3, before `a fix of 2023
#   <https://github.com/deepspeedai/DeepSpeed/pull/3205>`__, they were random after
#   resuming, without an error: upgrade.
# - With ``exclude_frozen_parameters=True``, for instance by an option of a trainer,
#   they are in no file: load them from the base.
#
# All this was read in `the source
# <https://github.com/deepspeedai/DeepSpeed/blob/master/deepspeed/runtime/engine.py>`__
# and in `issue 5439 <https://github.com/deepspeedai/DeepSpeed/issues/5439>`__, and not
# run.
#
# If they are missing, load the pretrained weights of the frozen part first, and then
# the checkpoint with ``strict=False``. In plain PyTorch:
model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
pretrained = copy.deepcopy(model.state_dict())
model[0].requires_grad_(False)
torch.nn.init.ones_(model[1].weight)
trained = {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}
resumed = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
resumed.load_state_dict(pretrained)
keys = resumed.load_state_dict(trained, strict=False)
print(keys.missing_keys)
assert keys.missing_keys == ["0.weight", "0.bias"]
assert all(map(torch.equal, resumed.parameters(), model.parameters()))

# %% tags=["hide-input"]
# Where it ends
# -------------
# - ``torch.save()`` and ``pickle`` take a result without an error, and leave its graph
#   behind: what is loaded is a leaf that requires a gradient. ``clone()`` copies a
#   result with its graph.
# - ``state_dict(keep_vars=True)`` holds the parameters themselves, with
#   ``requires_grad``. Loaded with ``assign=True``, both models have the same parameter,
#   and it takes the value of the model that loads: the frozen one is unfrozen.
for thing in (through_a_file(result), pickle.loads(pickle.dumps(result))):
    assert thing.is_leaf
    assert thing.requires_grad
assert result.clone().grad_fn is not None

assert saved.state_dict(keep_vars=True)["weight"] is saved.weight
assert not saved.weight.requires_grad
again.load_state_dict(saved.state_dict(keep_vars=True), assign=True)
assert again.weight is saved.weight
assert saved.weight.requires_grad

# %%
# Save the names of what is frozen beside the weights, or freeze by rule after loading.
# Detach what leaves the process. Source: :torch:`Serialization semantics
# <notes/serialization.html>`.
#
# Related: :doc:`/gallery/freezing/nn_parameter_unfreezes`,
# :doc:`/gallery/detach/clone_and_detach`, :doc:`/gallery/freezing/freeze_a_backbone`.
