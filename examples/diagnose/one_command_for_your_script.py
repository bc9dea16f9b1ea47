"""
One command finds what your training script does not train
==========================================================

``python -m gradguide train.py`` runs your script unchanged. It watches three
iterations, reports what happened to each parameter, and stops the script.
"""

# %%
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp

MISTAKES = """\
import torch
norm = torch.nn.BatchNorm1d(4).requires_grad_(False)
neck, head = torch.nn.Linear(4, 8), torch.nn.Linear(8, 1)
optimizer = torch.optim.SGD([*neck.parameters(), *head.parameters()])
for _ in range(100):
    features = neck(norm(torch.randn(16, 4))).detach()
    head(features).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()
"""
script = Path(mkdtemp(), "train.py")
script.write_text(MISTAKES, "utf-8")
command = [sys.executable, "-m", "gradguide", script]
wrong = subprocess.run(command, capture_output=True, text=True, check=False)
print(wrong.stderr.strip())

# %%
# How to read the report
# ----------------------
# Write ``-m gradguide`` between ``python`` and your script. The arguments of the script
# stay behind it, as in ``python -m gradguide train.py --lr 3e-4``.
#
# The first line counts the parameters. Each line below has a verdict, a name, the
# number of values, and the reason. A name begins with the variable that holds the
# network. Parameters with the same verdict share a line: ``neck.*`` is all of ``neck``.
#
# The script raises no error, and ``head`` learns. But ``detach()`` cuts the gradient of
# ``neck``, and ``norm`` is frozen without ``eval()``. The row ``cut`` has the line that
# cuts it. ``moves`` names the running statistics, which are frozen and still change.
# Each verdict, and what to do about it, is in :doc:`/reference/verdicts`.
import re

(line,) = [n for n, code in enumerate(MISTAKES.splitlines(), 1) if "detach" in code]
assert re.search(rf"cut +neck.*detach\(\) at train.py:{line}\b", wrong.stderr)
assert re.search(r"moves +norm.*the forward updates this buffer", wrong.stderr)
assert wrong.returncode == 1

# %%
# What does it report for a script that is right?
# -----------------------------------------------
# Now the gradient reaches ``neck``, and ``eval()`` keeps the statistics of ``norm``
# fixed. The script would print 100 times. It was stopped right after its third step, so
# it printed twice.
without_mistakes = MISTAKES.replace(".detach()", "")
without_mistakes = without_mistakes.replace("(False)", "(False).eval()")
without_mistakes += "    print('iteration')"
script.write_text(without_mistakes, "utf-8")
right = subprocess.run(command, capture_output=True, text=True, check=False)
script.unlink()
script.parent.rmdir()
print(right.stderr.strip())
print("exit code", right.returncode)
assert "No problems." in right.stderr
assert right.returncode == 0
assert right.stdout.count("iteration") == 2

# %% tags=["hide-input"]
# The gradient comes from the loss (diamond) on the right. An open square trains, a
# hatched one is frozen, the gradient of a dashed one is cut off. A cross marks a
# problem. In the broken script the frozen ``norm`` moves, and ``neck`` gets no
# gradient.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 2.4), layout="constrained")
looks = {
    "trains": {"ec": "C0"},
    "frozen": {"ec": "C1", "hatch": "//////"},
    "cut": {"ec": "C2", "ls": "--"},
}
for row, report in enumerate([right.stderr, wrong.stderr]):
    for verdict, name in re.findall(r"(?m)^(\w+) +(\w+)\.", report):
        if verdict in looks:
            ax.scatter(name, row, s=500, marker="s", fc="none", **looks[verdict])
        if verdict in {"cut", "moves"}:
            ax.scatter(name, row, s=120, marker="x", c="C2", zorder=3)
            ax.text(name, row - 0.4, verdict, ha="center", va="center", size=9)
    ax.scatter("loss", row, s=200, marker="D", fc="none", ec="C3")
ax.set_yticks([0, 1], ["right", "broken"])
ax.margins(0.15, 0.5)
ax.tick_params(length=0)
ax.set_frame_on(False)
plt.show()

# %%
# When does it report, and how does it exit?
# ------------------------------------------
# An iteration is over when each optimizer has made a step. ``--steps 10`` watches ten.
# With ``--go-on`` the script runs to its end after the report. ``--json`` prints the
# report for a program. A module is run by ``python -m gradguide -m package.train``,
# several processes by ``torchrun --nproc-per-node 2 -m gradguide train.py``. The report
# goes to stderr.
#
# If the script raises an error, its traceback is printed as usual. The report follows,
# with what was seen until then. The exit code is one of these:
#
# - 0: no problem
# - 1: problems, or an error that the script did not catch
# - the script's own, if it leaves by ``sys.exit()`` with another code
# - 2: there is no such script, or an option is wrong
#
# Where it ends
# -------------
# - It judges three iterations. A mistake that comes later needs ``--steps``.
# - It watches one process. What runs under ``mp.spawn`` is not seen, and if the script
#   trains there, the report says that it ended without a backward.
# - What other threads and TorchScript do to a parameter is ``unknown``.
# - Compiled code runs without compilation while it is watched. Its results are then
#   equal up to rounding.
#
# Run this command first when a network does not learn. In a notebook, or in a loop of
# your own, use :py:func:`gradguide.watch`. All limits: :doc:`/reference/limits`.
#
# Related: :doc:`watch_a_real_step`, :doc:`why_is_my_gradient_none`,
# :doc:`/guide/frozen-checklist`.
