"""A tiny guide of two pages, built by the real pipeline in a folder of its own."""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from gradguide_site import project
from gradguide_site.translation import catalogues

REPOSITORY = Path(__file__).parents[2]

INDEX = """# Tiny

Some words.

```{toctree}
gallery/index
```
"""

HEADER = """{title}
{rule}

Some words.

.. reading order:
   {order}
"""

# A script that meets warnings, and leaves the process in a state of its own.
FIRST = '''"""
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
print(torch.is_grad_enabled(), torch.get_default_dtype())  # what a process begins with
print(result.grad)
print(float(result))
warnings.simplefilter("ignore")
torch.set_default_dtype(torch.float64)
_ = torch.set_grad_enabled(False)
'''

SECOND = FIRST.replace("first", "other")


class Tiny:
    """The folder of the tiny guide, and the commands that a person would run in it."""

    def __init__(self, root):
        self.root = root
        self.project = project.Project(root)
        self.site = self.project.site

    def run(self, *arguments, **options):
        """Run the pipeline; return the finished process, its output in ``stdout``."""
        return subprocess.run(
            [sys.executable, "-m", "gradguide_site", "--root", str(self.root), *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            check=False,
            **options,
        )

    @property
    def environment(self):
        path = str(REPOSITORY / "docs")
        return os.environ | {"PYTHONPATH": path, "SOURCE_DATE_EPOCH": "1700000000"}

    def build(self, *languages):
        """Build and return the output; a build that fails fails the test."""
        done = self.run("build", *languages)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def fail(self, *arguments):
        """Run a command that must fail, and return what it says."""
        done = self.run(*arguments)
        assert done.returncode == 1, done.stdout
        assert 'Traceback (most recent call last):\n  File "<frozen' not in done.stdout
        return done.stdout

    def translate(self):
        """Refresh the catalogues and fill in what is missing."""
        done = self.run("translate")
        assert done.returncode == 0, done.stdout
        chinese = project.CHINESE
        for path in self.project.catalogues(chinese).rglob("*.po"):
            catalogue = catalogues.read(path, chinese)
            for message in catalogue:
                if message.id:
                    message.string = f"译文 {message.id}"
                    message.flags.discard("fuzzy")
            path.write_bytes(catalogues.text(catalogue, chinese))

    @contextmanager
    def edited(self, path, old, new):
        """Change a file, for a while."""
        path = self.root / path
        before = path.read_text("utf-8")
        assert old in before
        path.write_text(before.replace(old, new), "utf-8")
        try:
            yield
        finally:
            path.write_text(before, "utf-8")

    def page(self, name):
        return (self.site / name).read_text("utf-8")

    def contents(self):
        """Return every file of the site."""
        return {
            path.relative_to(self.site).as_posix(): path.read_bytes()
            for path in sorted(self.site.rglob("*"))
            if path.is_file()
        }


def write(root):
    """Lay out the tiny guide: the real pipeline and extensions, other pages."""
    shutil.copytree(
        REPOSITORY / "docs",
        root / "docs",
        ignore=shutil.ignore_patterns("_build", "locale", "__pycache__", "*.md"),
    )
    shutil.copy(REPOSITORY / "pyproject.toml", root)
    (root / "docs/index.md").write_text(INDEX, "utf-8")
    chapter = root / "examples/chapter"
    chapter.mkdir(parents=True)
    header = HEADER.format(title="All", rule="===", order="chapter")
    (root / "examples/GALLERY_HEADER.rst").write_text(header, "utf-8")
    header = HEADER.format(title="Chapter", rule="-------", order="one\n   two")
    (chapter / "GALLERY_HEADER.rst").write_text(header, "utf-8")
    (chapter / "one.py").write_text(FIRST, "utf-8")
    (chapter / "two.py").write_text(SECOND, "utf-8")
    return Tiny(root)


@pytest.fixture(scope="package")
def tiny(tmp_path_factory):
    """The tiny guide, built once; in a path with spaces and Chinese characters."""
    guide = write(tmp_path_factory.mktemp("a path 含中文"))
    guide.translate()
    guide.build()
    return guide
