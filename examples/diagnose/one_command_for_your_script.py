"""
One command finds what your training script does not train
==========================================================

``python -m gradguide train.py`` runs your script unchanged. It watches three
iterations, reports what became of each parameter, and stops the script.
"""

# %%
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

MISTAKE = """\
import torch
body, head = torch.nn.Linear(4, 8), torch.nn.Linear(8, 1)
optimizer = torch.optim.SGD([*body.parameters(), *head.parameters()])
for _ in range(100):
    loss = head(body(torch.ones(2, 4)).detach()).sum()
    loss.backward()
    optimizer.step()
"""
folder = TemporaryDirectory()
script = Path(folder.name, "train.py")
script.write_text(MISTAKE, "utf-8")
command = [sys.executable, "-m", "gradguide", script]
done = subprocess.run(command, capture_output=True, text=True, check=False)
print(done.stderr.strip())
assert "detach() at train.py:5" in done.stderr

# %%
# How to read the report
# ----------------------
# Write ``-m gradguide`` between ``python`` and your script. The arguments of the script
# stay behind it, as in ``python -m gradguide train.py --lr 3e-4``. The next script is
# right: the gradient reaches ``neck``, and ``eval()`` holds the statistics of the
# frozen backbone. It prints a loss in each of 100 iterations.
import re

TRAIN = """\
import torch
from torch import nn

torch.manual_seed(0)
backbone = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8)).requires_grad_(False)
backbone.eval()
neck, head = nn.Linear(8, 8), nn.Linear(8, 3)
optimizer = torch.optim.AdamW([*neck.parameters(), *head.parameters()])
for _ in range(100):
    images, labels = torch.randn(16, 4), torch.randint(3, (16,))
    features = neck(backbone(images))
    loss = nn.functional.cross_entropy(head(features), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print("loss", loss.item())
"""


def run(text):
    script.write_text(text, "utf-8")
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False
    )


right = run(TRAIN)
print(right.stderr)
print("exit code", right.returncode)
assert "No problems." in right.stderr
assert right.returncode == 0
assert right.stdout.count("loss") == 2

# %%
# The first line counts the parameters. Each line below has a verdict, a name, the
# number of values, and the reason. A name begins with the variable that holds the
# network. Parameters with the same verdict share a line: ``neck.*`` is all of ``neck``.
# The script was stopped right after its third step, so it printed two losses.
#
# What does it report for two mistakes?
# -------------------------------------
# Two lines are different here. ``features`` is computed under ``no_grad()``, which is
# meant to save memory and now cuts the gradient of ``neck``. And ``eval()`` is missing.
# The script raises no error, and ``head`` goes on learning.
no_grad = "    with torch.no_grad():"
broken = TRAIN.replace("    features", f"{no_grad}\n        features")
broken = broken.replace("backbone.eval()\n", "")
wrong = run(broken)
print(wrong.stderr)
folder.cleanup()
print("exit code", wrong.returncode)
line = broken.splitlines().index(no_grad) + 1
assert re.search(rf"cut +neck.*no_grad at train.py:{line}\b", wrong.stderr)
assert re.search(r"moves +backbone.*the forward updates this buffer", wrong.stderr)
assert wrong.returncode == 1

# %% tags=["hide-input"]
# ``cut`` comes with the line of the ``with`` statement. ``moves`` names the running
# statistics, which are frozen and still change. Each verdict, and what to do about it,
# is in :doc:`/reference/verdicts`.
#
# The gradient comes from the loss (diamond) on the right. An open square trains, a
# hatched one is frozen, the gradient of a dashed one is cut off. A cross marks a
# problem. In the broken script the frozen backbone moves, and ``neck`` gets no
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
