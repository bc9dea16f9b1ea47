"""
Two optimizers in Lightning: untoggle one before you toggle the next
====================================================================

``toggle_optimizer()`` freezes the parameters of all other optimizers. If you toggle the
next one without ``untoggle_optimizer()``, its own parameters stay frozen, too.
``with self.toggled_optimizer(optimizer):`` does both.
"""

# %% tags=["hide-input"]
# A generator and a critic, and a short training without files and logs.
import logging
import warnings

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
torch.manual_seed(0)
data = TensorDataset(torch.randn(32, 4) + 1)


class Pair(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.critic = nn.Linear(2, 4), nn.Linear(4, 1)
        self.seen = []

    def fake(self, real):
        return self.generator(torch.randn(len(real), 2))

    def run_both(self, batch):
        self.seen.append([p.requires_grad for p in self.parameters()])
        print(self.seen[-1])
        self.manual_backward(self.critic(self.fake(batch[0])).mean())

    def configure_optimizers(self):
        return [
            torch.optim.SGD(self.generator.parameters(), lr=0.1),
            torch.optim.SGD(self.critic.parameters(), lr=0.1),
        ]


def fit(model, **options):
    trainer = lightning.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        max_epochs=1,
        **options,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        trainer.fit(model, DataLoader(data, batch_size=16))


# %%
class Turns(Pair):
    def training_step(self, batch, index):
        for optimizer in self.optimizers():
            with self.toggled_optimizer(optimizer):
                self.run_both(batch)
        for optimizer in self.optimizers():
            self.toggle_optimizer(optimizer)  # wrong: the last one is toggled
            self.run_both(batch)


try:
    fit(model := Turns())
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("something required a gradient")

# %%
# Each line has the ``requires_grad`` of the two parameters of the generator and the two
# of the critic. In the last line the critic is frozen, though it is its turn:
# ``toggle_optimizer()`` remembers the values that it finds, freezes everything, and
# gives its own optimizer those values back. Before Lightning 2.5.2 there is no
# ``toggled_optimizer()``: put ``untoggle_optimizer()`` into a ``finally``.
on, off = [True, True], [False, False]
assert model.seen == [on + off, off + on, on + off, off + off]

# %%
# ``toggle_optimizer() missing 1 required positional argument: 'optimizer_idx'``
# ------------------------------------------------------------------------------
# The code was written for Lightning 2, and version 1 is installed. There, the method is
# ``toggle_optimizer(optimizer, optimizer_idx)``. Upgrade, or pass the index, counted
# from 0 in the order of ``configure_optimizers()``. The reverse, old code in Lightning
# 2, raises ``got an unexpected keyword argument 'optimizer_idx'`` or ``takes 2
# positional arguments but 3 were given``: take the index out. The calls of each version
# (those of 1.x were run in 1.9.5, not on this page):
#
# - 1.x: ``self.toggle_optimizer(optimizer, 0)``, ``self.untoggle_optimizer(0)``
# - 2.x: ``self.toggle_optimizer(optimizer)``, ``self.untoggle_optimizer(optimizer)``
#
# The context manager of the optimizer itself, ``optimizer.toggle_model()``, works in
# both. In 2.x, take ``optimizer_idx`` out of ``training_step()``, too, or it raises
# ``Training with multiple optimizers is only supported with manual optimization``.


class Old(Pair):
    def __init__(self, way):
        super().__init__()
        self.way = way

    def training_step(self, batch, index):
        _, of_critic = self.optimizers()
        if self.way == "toggle_model":
            with of_critic.toggle_model():
                self.seen.append([p.requires_grad for p in self.parameters()])
        elif self.way == "keyword":
            self.toggle_optimizer(of_critic, optimizer_idx=1)
        else:
            self.toggle_optimizer(of_critic, 1)


fit(model := Old("toggle_model"), limit_train_batches=1)
assert model.seen == [off + on]
messages = []
for way in ("keyword", "positional"):
    try:
        # Wrong: the index of Lightning 1.
        fit(Old(way), limit_train_batches=1)
    except TypeError as error:
        messages.append(str(error))
        print(error)
    else:
        raise AssertionError("the index was accepted")
assert "unexpected keyword argument 'optimizer_idx'" in messages[0]
assert "takes 2 positional arguments but 3 were given" in messages[1]

# %%
# The whole step of a GAN
# -----------------------
# While the generator trains, the critic is frozen, so it gets no gradient. While the
# critic trains, the fakes are detached. ``manual_backward()`` in place of
# ``loss.backward()`` lets Lightning scale the loss in 16-bit precision. Without the
# toggling, the step of the generator leaves a gradient in the critic.
from torch.nn.functional import softplus


class GAN(Pair):
    def training_step(self, batch, index):
        (real,) = batch
        of_generator, of_critic = self.optimizers()
        fake = self.fake(real)

        with self.toggled_optimizer(of_critic):
            loss = softplus(self.critic(fake.detach())) + softplus(-self.critic(real))
            self.manual_backward(loss.mean())
            of_critic.step()
            of_critic.zero_grad()

        with self.toggled_optimizer(of_generator):
            loss = softplus(-self.critic(fake))
            self.manual_backward(loss.mean())
            of_generator.step()
            of_generator.zero_grad()


class Untoggled(Pair):
    def training_step(self, batch, index):
        # Wrong: the critic gets a gradient, too.
        self.manual_backward(softplus(-self.critic(self.fake(batch[0]))).mean())
        self.optimizers()[0].step()
        self.optimizers()[0].zero_grad()


for kind in (GAN, Untoggled):
    model = kind()
    before = [p.detach().clone() for p in model.parameters()]
    fit(model)
    print(kind.__name__, model.critic.weight.grad is not None)
    assert (model.critic.weight.grad is None) == (kind is GAN)
    after = model.parameters()
    changed = [not torch.equal(p, old) for p, old in zip(after, before, strict=True)]
    assert changed == [True, True, kind is GAN, kind is GAN]

# %%
# A gradient penalty through both networks: ``requires_grad`` of the other one is False
# -------------------------------------------------------------------------------------
# Leave out ``toggled_optimizer()`` in this step, and name the parameters that each
# backward pass is for: ``manual_backward(loss, inputs=parameters)``. In the turn of the
# generator, toggling freezes the critic. The gradient still passes through it to the
# fakes, so the generator trains. But a penalty that differentiates a loss with respect
# to the weights of the critic raises ``One of the differentiated Tensors does not
# require grad``, and any other gives the critic no gradient. The freezing is not needed
# to keep the critic as it is: each optimizer changes only what it holds.
#
# Before Lightning 2.0, automatic optimization took several optimizers, and toggled them
# by itself (`an issue about such a penalty
# <https://github.com/Lightning-AI/pytorch-lightning/issues/5368>`__). Here is the
# penalty of that issue, from `The Numerics of GANs
# <https://arxiv.org/abs/1705.10461>`__: the norm of the gradients of both losses.
from contextlib import nullcontext


class Consensus(Pair):
    def __init__(self, *, toggle):
        super().__init__()
        self.critic = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))
        self.toggle = toggle

    def losses(self, real):
        fake = self.fake(real)
        of_generator = softplus(-self.critic(fake)).mean()
        of_critic = (softplus(self.critic(fake)) + softplus(-self.critic(real))).mean()
        return of_generator, of_critic

    def training_step(self, batch, index):
        of_generator, of_critic = self.optimizers()
        with self.toggled_optimizer(of_generator) if self.toggle else nullcontext():
            held = [list(net.parameters()) for net in (self.generator, self.critic)]
            losses, penalty = self.losses(batch[0]), 0
            for loss, parameters in zip(losses, held, strict=True):
                slopes = torch.autograd.grad(loss, parameters, create_graph=True)
                penalty = penalty + 0.1 * sum(slope.square().sum() for slope in slopes)
            for loss, parameters, last in zip(losses, held, (False, True), strict=True):
                self.manual_backward(
                    loss + penalty, inputs=parameters, retain_graph=not last
                )
        self.seen = [p.grad is not None for p in self.parameters()]
        for optimizer in (of_generator, of_critic):
            optimizer.step()
            optimizer.zero_grad()


for toggle in (True, False):
    model = Consensus(toggle=toggle)
    before = [p.detach().clone() for p in model.parameters()]
    try:
        fit(model, limit_train_batches=1)
        result = model.seen
    except RuntimeError as error:
        result = str(error)
    print(f"{toggle=!s:6} {result}")
    if toggle:
        assert result.startswith("One of the differentiated Tensors does not require")
assert result == 6 * [True]
assert not any(map(torch.equal, model.parameters(), before))

# %%
# Suspend one of two optimizers for some steps
# --------------------------------------------
# Leave out its whole turn: its ``manual_backward()`` and its ``step()``. Nothing has to
# be frozen. Inside ``toggled_optimizer()``, the turn of the other one leaves no
# gradient in the network that rests. Without it, the gradients add up during the pause:
# then call ``zero_grad()`` at the start of each turn, not only at its end.


class Pausing(Pair):
    def training_step(self, batch, index):
        of_generator, of_critic = self.optimizers()
        before = self.critic.weight.detach().clone()
        with self.toggled_optimizer(of_generator):
            self.manual_backward(softplus(-self.critic(self.fake(batch[0]))).mean())
            of_generator.step()
            of_generator.zero_grad()
        assert self.critic.weight.grad is None
        if index % 2:  # the critic rests in steps 0, 2, 4, ...
            with self.toggled_optimizer(of_critic):
                self.manual_backward(softplus(-self.critic(batch[0])).mean())
                of_critic.step()
                of_critic.zero_grad()
        self.seen.append(not before.equal(self.critic.weight))


model = Pausing()
fit(model)
print(model.seen)
assert model.seen == [False, True]

# %%
# What does not suspend it, or fails:
#
# - Freezing the network: if nothing else in the loss requires a gradient,
#   ``backward()`` raises the error at the top of this page. So does a constant.
# - A number as the loss: automatic optimization refuses it. There,
#   ``return None`` from ``training_step()`` skips the step of the one optimizer, but
#   `not on several GPUs
#   <https://lightning.ai/docs/pytorch/stable/common/lightning_module.html>`__. In
#   manual optimization, the return value skips nothing.
# - The loss times zero: the gradient is zero, not None, and with momentum the step
#   still changes the weights: :doc:`/gallery/still-moves/stale_gradients`.
from lightning.pytorch.utilities.exceptions import MisconfigurationException


class Single(Pair):
    def __init__(self, kind):
        super().__init__()
        self.automatic_optimization, self.kind = True, kind

    def training_step(self, batch, index):
        loss = self.critic(batch[0]).mean()
        self.seen.append(self.critic.weight.detach().clone())
        number = {"None": None, "0.0": 0.0, "tensor": torch.tensor(0.0)}
        return (number | {"loss * 0": loss * 0})[self.kind] if index else loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.critic.parameters(), lr=0.1, momentum=0.9)


results = {}
for kind in ("None", "0.0", "tensor", "loss * 0"):
    model = Single(kind)
    try:
        fit(model)
    except (RuntimeError, MisconfigurationException) as error:
        results[kind] = str(error)
    else:
        results[kind] = not model.seen[-1].equal(model.critic.weight)
    print(f"{kind:9}{results[kind]}")
assert results["None"] is False
assert "must return a Tensor, a dict, or None" in results["0.0"]
assert "does not require grad" in results["tensor"]
assert results["loss * 0"] is True

# %%
# What you have frozen yourself stays frozen
# ------------------------------------------
# ``toggled_optimizer()`` restores the values that it has read before. So a parameter
# that you froze is frozen before, inside and after. A change inside the block, on a
# parameter of another optimizer, is undone at its end. A network that is in no
# optimizer, such as a pretrained one for a perceptual loss, is not touched: freeze it
# yourself.
#
# Until early 2021, Lightning set every parameter of the current optimizer to ``True``,
# also what you had frozen (`the fix
# <https://github.com/Lightning-AI/pytorch-lightning/pull/5775>`__, read and not run).
# Upgrade, or give the optimizers only what is trainable.


class Frozen(Pair):
    def __init__(self):
        super().__init__()
        self.pretrained = nn.Linear(4, 1)
        self.critic.bias.requires_grad_(False)

    def flags(self):
        watched = self.critic.weight, self.critic.bias, self.pretrained.weight
        return [p.requires_grad for p in watched]

    def training_step(self, batch, index):
        of_generator, _ = self.optimizers()
        self.seen.append(self.flags())
        with self.toggled_optimizer(of_generator):
            self.seen.append(self.flags())
            self.critic.requires_grad_(True)
        self.seen.append(self.flags())


model = Frozen()
fit(model, limit_train_batches=1)
print(*model.seen, sep="\n")
assert model.seen == [[True, False, True], [False, False, True], [True, False, True]]


# %%
# ``toggle_optimizer()`` in a compiled model: KeyError: Parameter containing
# --------------------------------------------------------------------------
# ``torch.compile(model)`` of a LightningModule compiles its ``training_step()``, and
# the toggling in it. With PyTorch 2.6, the line ``param.requires_grad =
# param_requires_grad_state[param]`` then raised this error; with 2.9 and later, it did
# not, in the same model. Compile the networks instead, in ``__init__``: the toggling
# stays outside. Or put ``torch.compiler.disable`` around both methods, as `a fix in
# Lightning of 2026 <https://github.com/Lightning-AI/pytorch-lightning/pull/21686>`__
# does. Each new pattern of ``requires_grad`` costs a compilation:
# :doc:`/gallery/beyond/compile_trace_export`.
class Networks(Turns):
    def __init__(self):
        super().__init__()
        self.generator.compile(backend="eager")
        self.critic.compile(backend="eager")

    def training_step(self, batch, index):
        for optimizer in self.optimizers():
            self.toggle_optimizer(optimizer)
            self.run_both(batch)
            self.untoggle_optimizer(optimizer)


class Disabled(Networks):
    toggle_optimizer = torch.compiler.disable(Turns.toggle_optimizer)
    untoggle_optimizer = torch.compiler.disable(Turns.untoggle_optimizer)

    def __init__(self):
        Turns.__init__(self)


fit(model := Networks(), limit_train_batches=1)
assert model.seen == [on + off, off + on]
model = Disabled()
fit(torch.compile(model, backend="eager"), limit_train_batches=1)
assert model.seen == [on + off, off + on]

# %%
# GAN with DDP: ``parameters that were not used in producing the loss``
# ---------------------------------------------------------------------
# The generator and the critic are in one module, so DDP wraps both, and in each
# ``manual_backward()`` one of them gets no gradient: because it is toggled off, or
# because ``detach()`` cuts it off. Pass ``strategy="ddp_find_unused_parameters_true"``.
# The error comes with several GPUs only, and for the GAN of Lightning's own tutorial,
# too (`an issue <https://github.com/Lightning-AI/pytorch-lightning/issues/20328>`__).
import os

import torch.distributed as dist
from lightning.pytorch.strategies import DDPStrategy

logging.getLogger("lightning.fabric").setLevel(logging.ERROR)


def error_with_ddp(model, **options):
    strategy = DDPStrategy(process_group_backend="gloo", **options)
    environment = dict(os.environ)
    try:
        fit(model, strategy=strategy, devices=1)
    except RuntimeError as error:
        return str(error)
    finally:
        os.environ.clear()
        os.environ.update(environment)
        dist.destroy_process_group()
    return None


wrong = error_with_ddp(GAN())
model = GAN()
before = [p.detach().clone() for p in model.parameters()]
right = error_with_ddp(model, find_unused_parameters=True)
print(wrong, right, sep="\n")
assert "parameters that were not used in producing the loss" in wrong
assert right is None
after = model.parameters()
assert not any(map(torch.equal, after, before))

# %%
# ``The closure hasn't been executed``: an ``optimizer_step()`` of your own
# -------------------------------------------------------------------------
# In automatic optimization, the closure is the training step: it calls
# ``training_step()``, ``zero_grad()`` and ``backward()``. So an ``optimizer_step()``
# that skips ``optimizer.step(closure=optimizer_closure)``, for a pause or for warmup,
# has to call ``optimizer_closure()`` itself. And an optimizer whose ``step()`` ignores
# its closure needs that call before its ``step()``. To let a part of the network rest,
# this hook is not needed: freeze the part.


class EverySecond(Pair):
    def __init__(self, *, call_closure):
        super().__init__()
        self.automatic_optimization, self.call_closure = True, call_closure

    def training_step(self, batch, index):
        self.seen.append(index)
        return self.critic(batch[0]).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.critic.parameters(), lr=0.1)

    def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure=None):
        if batch_idx % 2 == 0:
            optimizer.step(closure=optimizer_closure)
        elif self.call_closure:
            optimizer_closure()


for call_closure in (False, True):
    model = EverySecond(call_closure=call_closure)
    try:
        fit(model)
        result = "no error"
    except MisconfigurationException as error:
        result = str(error).split(". ")[0]
    print(call_closure, result)
    assert (result == "no error") == call_closure
    assert model.seen == ([0, 1] if call_closure else [0])

# %%
# ``training_step`` returned ``None``; ``configure_optimizers`` returned ``None``
# -------------------------------------------------------------------------------
# Both are warnings, and both mean that something does not train:
#
# - ``training_step`` returned ``None``. ``If this was on purpose, ignore this
#   warning``: there is no ``backward()`` and no step for this batch. On purpose, it
#   skips a batch, such as one with a nan. Otherwise a ``return loss`` is missing, and
#   the weights stay as they are. In manual optimization there is no warning.
# - ``LightningModule.configure_optimizers`` returned ``None``, ``this fit will run with
#   no optimizer``: the training step runs, gradients add up, and no weight changes. A
#   ``return`` is missing, or you want it so, to collect statistics.
#
# Related errors: ``the 'loss' key needs to be present`` if a dict has no ``loss``, and
# ``optimizer got an empty parameter list`` if everything was frozen before.


class Silent(Single):
    def __init__(self, what):
        super().__init__("None")
        self.what = what

    def training_step(self, batch, index):
        loss = self.critic(batch[0]).square().mean()
        return None if self.what == "training_step" else loss

    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        return None if self.what == "configure_optimizers" else optimizer


for what in ("training_step", "configure_optimizers"):
    model = Silent(what)
    before = model.critic.weight.detach().clone()
    fit(model)
    print(f"{what:21}{model.critic.weight.equal(before)}")
    assert model.critic.weight.equal(before)

# %%
# What ``Trainer`` refuses
# ------------------------
# Several optimizers need ``self.automatic_optimization = False``. Then the accumulation
# and clipping of gradients are up to you, too: see
# :doc:`/reference/errors/is_not_supported_for_manual_optimization`.


class Automatic(GAN):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = True


tries = [
    (Automatic, {}),
    (GAN, {"gradient_clip_val": 1.0}),
    (GAN, {"accumulate_grad_batches": 2}),
]
messages = []
for kind, options in tries:
    try:
        fit(kind(), **options)
    except (RuntimeError, MisconfigurationException) as error:
        messages.append(str(error))
        print(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError("the training began")
assert "multiple optimizers is only supported with manual" in messages[0]
assert "gradient clipping is not supported for manual" in messages[1]
assert "gradient accumulation is not supported for manual" in messages[2]

# %%
# Where it ends
# -------------
# - A parameter that is in both optimizers stays trainable in both turns.
# - Toggling changes what is recorded from then on. If the fakes are made before, and
#   not detached, ``backward()`` of the critic's loss still goes through the generator:
#   this gets no gradient, but its graph is freed, and its own loss raises an error.
# - ``toggle_optimizer()`` without ``with`` leaves the parameters frozen if an exception
#   comes in between.
import contextlib


class Shared(Pair):
    def configure_optimizers(self):
        every = self.parameters()
        return [torch.optim.SGD(every), torch.optim.SGD(self.critic.parameters())]

    def training_step(self, batch, index):
        for optimizer in self.optimizers():
            with self.toggled_optimizer(optimizer):
                self.seen.append([p.requires_grad for p in self.parameters()])


class Attached(Pair):
    def training_step(self, batch, index):
        of_generator, of_critic = self.optimizers()
        fake = self.fake(batch[0])
        with self.toggled_optimizer(of_critic):
            self.manual_backward(self.critic(fake).mean())
        assert self.generator.weight.grad is None
        with self.toggled_optimizer(of_generator):
            self.manual_backward(-self.critic(fake).mean())


class Interrupted(Pair):
    def training_step(self, batch, index):
        of_generator, _ = self.optimizers()
        for toggle in (self.toggled_optimizer, self.toggle_optimizer):
            try:
                with toggle(of_generator) or contextlib.nullcontext():
                    raise ValueError
            except ValueError:
                self.seen.append(self.critic.weight.requires_grad)


model = Shared()
fit(model, limit_train_batches=1)
assert model.seen == [on + on, off + on]
try:
    fit(Attached())
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the generator's graph was still there")
assert "backward through the graph a second time" in message
model = Interrupted()
fit(model, limit_train_batches=1)
assert model.seen == [True, False]

# %%
# Write ``with self.toggled_optimizer(optimizer):`` around each turn, and detach the
# fakes in the turn of the critic. `Lightning's documentation
# <https://lightning.ai/docs/pytorch/stable/model/manual_optimization.html>`__ has more
# on manual optimization.
#
# Related: :doc:`/gallery/recipes/gan_training`,
# :doc:`/gallery/three-ways/detach_in_a_gan`,
# :doc:`/gallery/graph/the_flag_is_read_twice`.
