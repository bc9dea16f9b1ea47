"""Start each script as a fresh Python process would, whichever ran before it.

sphinx-gallery runs all scripts in one process, so what one changes there, the next
would see: the grad mode, a seed, a warning that was shown already. And a warning names
the file as a reader would see it, without the folders of the build machine.
"""

from __future__ import annotations

import gc
import linecache
import random
import re
import warnings
from pathlib import Path

STYLE = Path(__file__).with_name("figures.mplstyle")

PACKAGES = re.compile(r".*[/\\](?:site|dist)-packages[/\\]")
FROM_INSIDE = r"(?s:.*)\(Triggered internally at "
BUILT_AT = re.compile(r"(?<=\(Triggered internally at )\S*[/\\](?=\w+\.\w+:\d+\.\))")
"""The folders of the machine that PyTorch was compiled on."""


def reset(gallery_conf: dict[str, object], script: str) -> None:
    """Undo what an earlier script may have done; called before each one."""
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
