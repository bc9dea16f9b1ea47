"""
no_grad() and await do not mix
==============================

On ``async def``, the decorator ``no_grad()`` does nothing. A ``with`` block that awaits
switches recording off for other tasks. When two such blocks overlap, it stays off after
both have ended.
"""

# %%
# Does @torch.no_grad() work on async def?
# ----------------------------------------
# It seems to: there is no error and no warning. But calling an ``async def`` only makes
# a coroutine and runs none of its body, and the decorator covers that call alone. The
# body runs when it is awaited, and records. ``inference_mode()`` does no better.
import asyncio
from concurrent.futures import ThreadPoolExecutor

import torch

model = torch.nn.Linear(3, 1)
x = torch.ones(2, 3)


@torch.no_grad()
async def predict():
    return model(x)


# in a thread of its own: in a notebook, an event loop already runs in this one
def run(main):
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(main())).result()


assert run(predict).requires_grad
assert run(torch.inference_mode()(predict)).requires_grad

# %%
# What happens in a with block that awaits?
# -----------------------------------------
# Inside the function, a ``with`` block does switch recording off. At an ``await`` the
# task pauses without leaving the block. Grad mode belongs to the thread, not to the
# task (:torch:`torch.no_grad`), so the task that runs next records nothing, either.
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
    run(evaluate_and_train)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("train() recorded while evaluate() was paused")

# %%
# Two blocks that overlap
# -----------------------
# On leaving, a ``with`` block restores the mode that it found. ``a`` found ``True`` and
# restores it while ``b`` is still inside. ``b`` found ``False``, set by ``a``, and
# restores that. From then on nothing in this thread records.


async def overlap():
    await asyncio.gather(evaluate("a", 2), evaluate("b", 4))
    steps.append(("later", torch.is_grad_enabled()))


steps.clear()
run(overlap)
assert steps[-2:] == [("b", True), ("later", False)]

# %% tags=["hide-input"]
# Step by step: hatched where nothing is recorded, open where it is. In its last two
# steps ``b`` records, although it is inside ``no_grad()``. ``later``, nothing is
# recorded, although both ``with`` blocks have ended.
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
# In a plain function. It can't await, so no other task gets in between. Call it from
# the coroutine, or in another thread, which has a grad mode of its own.


@torch.no_grad()
def predict_plain():
    return model(x)


async def serve():
    return predict_plain(), await asyncio.to_thread(predict_plain)


assert not any(y.requires_grad for y in run(serve))
assert torch.is_grad_enabled()

# %%
# Related: :doc:`no_grad_as_decorator` (generators pause, too),
# :doc:`/gallery/three-ways/backward_without_a_graph` (the error above), and `PEP 567
# <https://peps.python.org/pep-0567/>`_, on why the state of a thread does not do for
# tasks.
