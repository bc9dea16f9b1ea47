"""Start each script as a fresh Python process would, whichever ran before it.

sphinx-gallery runs all scripts in one process, so what one changes there, the next
would see: the grad mode, a seed, a warning that was shown already. And a warning names
the file as a reader would see it, without the folders of the build machine.

A script is refused if it leaves PyTorch in another state than it found, runs too long,
or writes where nobody expects it.
"""

from __future__ import annotations

import gc
import linecache
import os
import random
import re
import signal
import sys
import tempfile
import warnings
from pathlib import Path
from types import FrameType
from typing import Any

from sphinx.util import logging

STYLE = Path(__file__).with_name("figures.mplstyle")

PACKAGES = re.compile(r".*[/\\](?:site|dist)-packages[/\\]")
FROM_INSIDE = r"(?s:.*)\(Triggered internally at "
BUILT_AT = re.compile(r"(?<=\(Triggered internally at )\S*[/\\](?=\w+\.\w+:\d+\.\))")
"""The folders of the machine that PyTorch was compiled on."""

SECONDS = int(os.environ.get("GRADGUIDE_SCRIPT_SECONDS", "60"))
"""How long a script may run."""

logger = logging.getLogger(__name__)
_folders: tuple[str, ...] = ()
"""Where the script that runs now may write; empty if none runs."""


def guard(gallery_conf: dict[str, object], script: str | None, when: str) -> None:
    """Prepare the process for a script, and look at what it left behind.

    sphinx-gallery calls this before and after each script, and without a script before
    each chapter.
    """
    global _folders  # noqa: PLW0603 (a process runs one script at a time)
    if script is None:
        return
    if when == "before":
        logger.info("running %s", script)
        _reset()
        _folders = (str(Path.cwd()), tempfile.gettempdir(), os.devnull)
        _set_alarm(SECONDS)
    else:
        _set_alarm(0)
        _folders = ()
        for state, value in _left_behind():
            logger.warning(
                "%s leaves %s %s behind: restore it, as in `with torch.no_grad():`.",
                *(script, state, value),
                type="scripts",
            )


def _left_behind() -> list[tuple[str, object]]:
    """Return what is not as a script found it."""
    import torch

    now = {
        "the grad mode": (torch.is_grad_enabled(), True),
        "the anomaly mode": (torch.is_anomaly_enabled(), False),
        "the default dtype": (torch.get_default_dtype(), torch.float32),
        "the number of threads": (torch.get_num_threads(), 1),
        "the deterministic mode": (torch.get_deterministic_debug_mode(), 0),
    }
    return [(name, value) for name, (value, wanted) in now.items() if value != wanted]


def _set_alarm(seconds: int) -> None:
    """Interrupt the script after some time; 0 calls it off."""
    if hasattr(signal, "alarm"):  # not on Windows
        signal.signal(signal.SIGALRM, _stop)
        signal.alarm(seconds)


def _stop(signum: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"the script ran for more than {SECONDS} s")


def _refuse_writes(event: str, arguments: tuple[Any, ...]) -> None:
    """Raise for a file that a script opens to write outside its folder."""
    if event != "open" or not _folders or not isinstance(arguments[0], str):
        return
    path, mode, flags = arguments
    writes = set("wax+") & set(mode or "") or flags & (os.O_WRONLY | os.O_RDWR)
    where = os.path.abspath(path)  # noqa: PTH100 (pathlib would resolve links)
    if writes and "__pycache__" not in where and not where.startswith(_folders):
        raise PermissionError(f"the script writes outside its folder: {path}")


sys.addaudithook(_refuse_writes)


def _reset() -> None:
    """Undo what an earlier script may have done."""
    gc.freeze()  # sphinx-gallery collects after each script: not all of PyTorch again
    import matplotlib.pyplot as plt
    import numpy as np
    import torch

    torch.set_grad_enabled(mode=True)
    torch.autograd.set_detect_anomaly(mode=False)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_printoptions(profile="default")
    torch.set_deterministic_debug_mode("default")  # imports less than its twin
    torch.set_num_threads(1)  # the order of a sum must not depend on the machine
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 (the generator that scripts may use)
    random.seed(0)

    plt.close("all")
    plt.rcdefaults()
    plt.switch_backend("agg")
    plt.style.use(STYLE)

    # What PyTorch warns of once per process, it does once per script: again after the
    # last script, but not again on another line.
    torch.set_warn_always(True)
    warnings.onceregistry.clear()  # type: ignore[attr-defined] # documented, untyped
    warnings.resetwarnings()
    warnings.filterwarnings("default", category=DeprecationWarning, module="__main__")
    for category in (
        DeprecationWarning,
        PendingDeprecationWarning,
        ImportWarning,
        ResourceWarning,
    ):
        warnings.simplefilter("ignore", category, append=True)
    warnings.filterwarnings("ignore", message=".*is non-interactive", append=True)
    warnings.filterwarnings("once", message=FROM_INSIDE, append=True)
    warnings.formatwarning = _format_warning


def _format_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """Format a warning as Python does, with the paths that a reader sees."""
    if PACKAGES.match(filename):
        shown = PACKAGES.sub("", filename)
    else:
        shown = Path(filename).name
    text = BUILT_AT.sub("", str(message))
    if line is None:
        line = linecache.getline(filename, lineno)
    code = f"  {line.strip()}\n" if line.strip() else ""
    return f"{shown}:{lineno}: {category.__name__}: {text}\n{code}"
