"""A tiny guide of three scripts, built by the real pipeline in a folder of its own."""

import os
import signal
import sys
from contextlib import contextmanager, redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen

import pytest

from gradguide_site import project
from gradguide_site.commands.build import build
from gradguide_site.commands.translate import translate
from gradguide_site.translation import catalogues

REPOSITORY = Path(__file__).parents[2]

INDEX = """# Tiny

Some words.

```{toctree}
gallery/index
reference/errors
```
"""

ERRORS = """# Errors

```{errors}
a_tensor: an-old-address
```
"""

HEADER = """{}
{}

Some words.

.. reading order:
   {}
"""

SCRIPT = '''"""
The first page
==============

A claim.
"""

# %%
# Reading the gradient of a result draws a warning.
#
# A section
# ---------
import warnings

import torch

result = torch.ones(1, requires_grad=True) * 2
print(torch.is_grad_enabled(), torch.rand(2))
print(result.grad)
print(float(result))
warnings.simplefilter("ignore")
torch.manual_seed(1)
torch.set_printoptions(precision=1)
'''
"""A script that warns, and that changes what the next script must not notice."""

ERROR = '''"""
``The .grad attribute of a Tensor that is not a leaf``
======================================================

A claim.
"""

# %%
print(1)

# %%
# Read on: :doc:`/gallery/chapter/one`.
'''
"""A page that explains the warnings of the scripts."""

heed_interrupts = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
"""A shell that starts the tests in the background lets them ignore Ctrl-C."""


class Tiny:
    """The folder of the tiny guide, and the commands that a person would run in it."""

    def __init__(self, root):
        self.root = root
        self.project = project.Project(root)
        self.site = self.project.site

    def build(self, *codes):
        """Build in this process and return the output."""
        languages = [project.language(code) for code in codes] or project.LANGUAGES
        with redirect_stdout(StringIO()) as output:
            build(project.Project(self.root), languages)
        return output.getvalue()

    def fail(self):
        """Return the error of a build that must fail and leave the site untouched."""
        before = self.places()
        with pytest.raises(project.PipelineError) as caught:
            self.build()
        assert self.places() == before
        return str(caught.value)

    def translate(self):
        """Refresh the catalogues."""
        with redirect_stdout(StringIO()):
            translate(project.Project(self.root))

    def fill_in(self):
        """Refresh the catalogues and translate what is missing."""
        self.translate()
        for path in self.project.catalogues(project.CHINESE).rglob("*.po"):
            catalogue = catalogues.read(path, project.CHINESE)
            for message in catalogue:
                if message.id:
                    message.string = f"译文 {message.id}"
                    message.flags.discard("fuzzy")
            path.write_bytes(catalogues.text(catalogue, project.CHINESE))

    def start(self, *arguments, stdout=PIPE, stderr=STDOUT, **environment):
        """Start a command in a process of its own."""
        return Popen(
            [sys.executable, "-m", "gradguide_site", "--root", self.root, *arguments],
            env=self.environment | environment,
            stdout=stdout,
            stderr=stderr,
            encoding="utf-8",
            preexec_fn=heed_interrupts,  # noqa: PLW1509
        )

    def run(self, *arguments, **environment):
        """Run a command in a process of its own; return its exit code and output."""
        with self.start(*arguments, **environment) as process:
            try:
                output = process.communicate(timeout=300)[0]
            finally:
                process.kill()  # does nothing to one that has ended
        return process.returncode, output

    @property
    def environment(self):
        return os.environ | {"PYTHONPATH": str(REPOSITORY / "docs")}

    @contextmanager
    def edited(self, path, old, new):
        """Replace a text in a file, for a while."""
        path = self.root / path
        before = path.read_text("utf-8")
        assert old in before
        path.write_text(before.replace(old, new), "utf-8")
        try:
            yield
        finally:
            path.write_text(before, "utf-8")

    def forget_runs(self):
        """Let the next build run every script."""
        for record in self.project.built.rglob("*.py.md5"):
            record.unlink()
        (self.project.built / "built-from.txt").unlink(missing_ok=True)

    def page(self, name):
        return (self.site / name).read_text("utf-8")

    def contents(self):
        """Return every file of the site with its bytes."""
        return {name: (self.site / name).read_bytes() for name in self.places()}

    def places(self):
        """Return every file of the site with its place on the disk and its time."""
        files = {path: path.stat() for path in self.site.rglob("*") if path.is_file()}
        return {
            path.relative_to(self.site).as_posix(): (stat.st_ino, stat.st_mtime_ns)
            for path, stat in sorted(files.items())
        }


def write(root):
    """Write the sources of the tiny guide: the real settings, other pages."""
    for path, text in {
        "pyproject.toml": (REPOSITORY / "pyproject.toml").read_text("utf-8"),
        "docs/conf.py": (REPOSITORY / "docs/conf.py").read_text("utf-8"),
        "docs/index.md": INDEX,
        "docs/reference/errors.md": ERRORS,
        "examples/GALLERY_HEADER.rst": HEADER.format("All", "===", "chapter"),
        "examples/chapter/GALLERY_HEADER.rst": HEADER.format(
            "Chapter", "-------", "one\n   two"
        ),
        "examples/chapter/one.py": SCRIPT,
        "examples/errors/GALLERY_HEADER.rst": HEADER.format(
            "Errors", "======", "a_tensor"
        ),
        "examples/errors/a_tensor.py": ERROR,
        "examples/chapter/two.py": SCRIPT.replace("first", "other"),
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8")
    return Tiny(root)


@pytest.fixture(scope="package")
def tiny(tmp_path_factory):
    """The tiny guide, built once; in a path with spaces and Chinese characters."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        patch.setenv("PYTHONHASHSEED", "0")  # a build sets it for its processes
        guide = write(tmp_path_factory.mktemp("a path 含中文"))
        guide.fill_in()
        guide.build()
        yield guide
