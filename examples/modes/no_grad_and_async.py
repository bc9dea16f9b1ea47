"""
On async def, @torch.no_grad() does nothing
===========================================

The decorated coroutine records, and there is no warning. Use a ``with`` block inside
it, without an ``await`` in the block: while a task is paused there, other tasks don't
record.
"""

# %%
import asyncio
from concurrent.futures import ThreadPoolExecutor

import torch

model, x = torch.nn.Linear(3, 1), torch.ones(2, 3)


@torch.no_grad()
async def wrong():
    return model(x).requires_grad


async def right():
    with torch.no_grad():
        return model(x).requires_grad


# a thread of its own: in a notebook, this one already runs an event loop
def run(coroutine):
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


print("wrong:", run(wrong()), " right:", run(right()))
assert run(wrong())
assert not run(right())

# %%
# Why does the decorator do nothing?
# ----------------------------------
# Calling an ``async def`` makes a coroutine and runs none of its body, and the
# decorator covers that call alone. The body runs when it is awaited, and records. The
# same holds for ``inference_mode()``, and for an ``async def`` with a ``yield``.


async def predict():
    return model(x)


async def stream():
    yield model(x)


async def collect():
    return [y async for y in torch.no_grad()(stream)()]


assert run(torch.inference_mode()(predict)()).requires_grad
assert all(y.requires_grad for y in run(collect()))

# %%
# What happens in a with block that awaits?
# -----------------------------------------
# At an ``await`` the task may pause without leaving the block. Grad mode belongs to the
# thread, not to the task (:torch:`torch.no_grad`), so the task that runs next does not
# record either.
steps = []


async def evaluate(name, awaits):
    with torch.no_grad():
        for _ in range(awaits):
            steps.append((name, torch.is_grad_enabled()))
            await asyncio.sleep(0)


async def train():
    model(x).sum().backward()


async def evaluate_and_train():
    await asyncio.gather(evaluate("a", 1), train())


try:
    run(evaluate_and_train())
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("train() recorded while evaluate() was paused")

# %%
# Two blocks that overlap
# -----------------------
# On leaving, a ``with`` block restores the mode that it found. ``a`` found ``True`` and
# restores it while ``b`` is still inside. ``b`` found ``False``, set by ``a``, and
# restores that. From then on recording is off in this thread, until it is switched on
# again.


async def overlap():
    await asyncio.gather(evaluate("a", 2), evaluate("b", 4))
    steps.append(("later", torch.is_grad_enabled()))


steps.clear()
run(overlap())
assert steps[-2:] == [("b", True), ("later", False)]

# %% tags=["hide-input"]
# Step by step: hatched where recording is off, open where it is on. In its last two
# steps ``b`` records, although it is inside ``no_grad()``. At ``later`` recording is
# off, although both ``with`` blocks have ended.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for step, (name, enabled) in enumerate(steps):
    look = {"ec": "C0"} if enabled else {"ec": "C1", "hatch": "////"}
    ax.barh(name, 0.9, left=step, fc="none", lw=2, **look)
ax.set(xlabel="step")
ax.invert_yaxis()
plt.show()

# %%
# Where to put no_grad() in async code
# ------------------------------------
# Around code that does not await, so no other task of the thread runs in between. A
# plain decorated function can't await. Call it from the coroutine, or in another
# thread.


@torch.no_grad()
def predict_plain():
    return model(x)


async def serve():
    return predict_plain(), await asyncio.to_thread(predict_plain)


assert not any(y.requires_grad for y in run(serve()))
assert torch.is_grad_enabled()

# %%
# Where it ends
# -------------
# - A ``with`` block that awaits is harmless while no other task of the thread uses
#   autograd or a mode.
# - The block does not reach ``asyncio.to_thread()``: another thread has a grad mode of
#   its own.


async def alone():
    with torch.no_grad():
        await asyncio.sleep(0)
        elsewhere = await asyncio.to_thread(model, x)
        return model(x), elsewhere


here, elsewhere = run(alone())
assert not here.requires_grad
assert elsewhere.requires_grad

# %%
# Related: :doc:`no_grad_as_decorator` (generators pause, too),
# :doc:`/gallery/three-ways/backward_without_a_graph` (the error above), and `PEP 567
# <https://peps.python.org/pep-0567/>`_, on why state that belongs to a thread is not
# enough for tasks.
