"""Run each script in the state of a fresh Python process.

sphinx-gallery runs all scripts in one process, so a grad mode, a seed or a warning that
was shown already would affect the next script. This module resets them, and removes
the folders of the build machine from warnings.

A script fails if it runs too long or writes outside its folder. A script that leaves
PyTorch in another state than it found causes a warning, which fails the build.
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

from gradguide_site.running.sphinx_builds import SECONDS

STYLE = Path(__file__).with_name("figures.mplstyle")

PACKAGES = re.compile(r".*[/\\](?:site|dist)-packages[/\\]")
FROM_INSIDE = r"(?s:.*)\(Triggered internally at "
BUILD_FOLDERS = re.compile(
    r"(?<=\(Triggered internally at )\S*[/\\](?=\w+\.\w+:\d+\.\))"
)
"""The folders of the machine that compiled PyTorch, in a warning from C++."""

logger = logging.getLogger(__name__)
_kept: dict[str, dict[str, object]] = {}
"""The variables of scripts, by their files, that must not be freed."""

_writable: tuple[str, ...] = ()
"""The folders that the running script may write to; empty while no script runs."""


def guard(gallery_conf: dict[str, object], script: str | None, when: str) -> None:
    """Reset the process before a script, and check its state after the script.

    sphinx-gallery also calls this before each chapter, without a script.
    """
    global _writable  # noqa: PLW0603 (a process runs one script at a time)
    if script is None:
        return
    if when == "before":
        logger.info("running %s", script)
        _reset()
        _writable = (str(Path.cwd()), tempfile.gettempdir(), os.devnull)
        _set_alarm(SECONDS)
    else:
        _set_alarm(0)
        _writable = ()
        for state, value in _changed_state():
            logger.warning(
                "%s leaves %s %s behind: restore it, as in `with torch.no_grad():`.",
                *(script, state, value),
                type="scripts",
            )


def keep(block: Any, block_vars: dict[str, Any], gallery_conf: object) -> str:
    """Keep the variables of a script that makes a process group; show nothing.

    When a DDP that outlives its process group is freed, it may wait for a thread that
    waits for Python's lock. sphinx-gallery calls this as a scraper, after each cell.
    """
    if "init_process_group" in block.content:
        _kept[block_vars["src_file"]] = block_vars["example_globals"]
    return ""


def _changed_state() -> list[tuple[str, object]]:
    """Return each setting of PyTorch that a script has not restored."""
    import torch

    settings = {
        "the grad mode": (torch.is_grad_enabled(), True),
        "the anomaly mode": (torch.is_anomaly_enabled(), False),
        "the default dtype": (torch.get_default_dtype(), torch.float32),
        "the number of threads": (torch.get_num_threads(), 1),
        "the deterministic mode": (torch.get_deterministic_debug_mode(), 0),
    }
    return [(name, now) for name, (now, start) in settings.items() if now != start]


def _set_alarm(seconds: int) -> None:
    """Interrupt the script after some seconds; 0 cancels the alarm."""
    if hasattr(signal, "alarm"):  # not on Windows
        signal.signal(signal.SIGALRM, _stop)
        signal.alarm(seconds)


def _stop(signum: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"the script ran for more than {SECONDS} s")


def _refuse_writes(event: str, arguments: tuple[Any, ...]) -> None:
    """Raise an error if a script opens a file outside its folder for writing."""
    if event != "open" or not _writable or not isinstance(arguments[0], str):
        return
    path, mode, flags = arguments
    writes = set("wax+") & set(mode or "") or flags & (os.O_WRONLY | os.O_RDWR)
    absolute = os.path.abspath(path)  # noqa: PTH100 (pathlib would resolve links)
    if writes and "__pycache__" not in absolute and not _is_writable(absolute):
        raise PermissionError(f"the script writes outside its folder: {path}")


def _is_writable(path: str) -> bool:
    return any(path == item or path.startswith(item + os.sep) for item in _writable)


sys.addaudithook(_refuse_writes)


def _reset() -> None:
    """Reset all state that an earlier script may have changed."""
    # sphinx-gallery collects garbage after each script. Frozen objects, among them all
    # of PyTorch, are not searched.
    gc.freeze()
    import matplotlib.pyplot as plt
    import numpy as np
    import torch

    torch.set_grad_enabled(mode=True)
    torch.autograd.set_detect_anomaly(mode=False)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_printoptions(profile="default")
    # torch.use_deterministic_algorithms would import many more modules.
    torch.set_deterministic_debug_mode("default")
    # torch.compile turns these checks off for the process.
    torch.distributions.Distribution.set_default_validate_args(value=True)
    torch.set_num_threads(1)  # sums must not depend on the number of cores
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 (the generator that scripts may use)
    random.seed(0)

    # accelerate keeps the mixed precision of the first Accelerator for the process, and
    # refuses another one.
    if accelerate := sys.modules.get("accelerate.state"):
        accelerate.AcceleratorState._reset_state(reset_partial_state=True)  # noqa: SLF001

    plt.close("all")
    plt.rcdefaults()
    plt.switch_backend("agg")
    plt.style.use(STYLE)

    # PyTorch gives some warnings once for each process. A reader who runs one script
    # sees them, so they are given once for each script.
    torch.set_warn_always(True)
    warnings.onceregistry.clear()  # type: ignore[attr-defined] # documented, untyped
    warnings.resetwarnings()
    warnings.filterwarnings("default", category=DeprecationWarning, module="__main__")
    ignored_by_python = DeprecationWarning, PendingDeprecationWarning
    for category in (*ignored_by_python, ImportWarning, ResourceWarning):
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
    """Format a warning as Python does, without the folders of the build machine."""
    is_package = PACKAGES.match(filename)
    place = PACKAGES.sub("", filename) if is_package else Path(filename).name
    text = BUILD_FOLDERS.sub("", str(message))
    code = (linecache.getline(filename, lineno) if line is None else line).strip()
    code = f"  {code}\n" if code else ""
    return f"{place}:{lineno}: {category.__name__}: {text}\n{code}"
