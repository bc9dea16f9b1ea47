"""Where everything is, and which languages the site speaks."""

from __future__ import annotations

import os
import subprocess
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

SCRIPTS = "examples"
"""The folder of the scripts, in the repository and in each staged tree."""

GALLERY = "gallery"
"""The folder of the pages that sphinx-gallery makes of them."""


class PipelineError(Exception):
    """A problem that whoever runs the build can fix; its text says how."""


@dataclass(frozen=True)
class Language:
    """One language of the site.

    Attributes:
        code: As Sphinx and gettext spell it.
        tag: As HTML spells it (BCP 47).
        url: The folder of the site that holds its pages.
        name: Its name, in itself.
    """

    code: str
    tag: str
    url: str
    name: str


ENGLISH = Language("en", "en", "en", "English")
CHINESE = Language("zh_CN", "zh-CN", "zh-cn", "中文")
LANGUAGES = (ENGLISH, CHINESE)
"""Every language, the one that the sources are written in first."""


def language(code: str) -> Language:
    """Return the language with this code, as Sphinx or as HTML spells it."""
    for known in LANGUAGES:
        if code in (known.code, known.tag, known.url):
            return known
    choice = ", ".join(known.code for known in LANGUAGES)
    raise PipelineError(f"unknown language {code!r}: choose one of {choice}.")


@dataclass(frozen=True)
class Project:
    """The folders of a checkout, and what they say about it."""

    root: Path

    @property
    def docs(self) -> Path:
        return self.root / "docs"

    @property
    def examples(self) -> Path:
        return self.root / SCRIPTS

    @property
    def built(self) -> Path:
        """Everything the build makes; may be deleted at any time."""
        return self.docs / "_build"

    @property
    def site(self) -> Path:
        """The last good site."""
        return self.built / "html"

    @property
    def candidate(self) -> Path:
        """The site that is being built; takes the place of the last good one."""
        return self.built / "candidate"

    def staged(self, language: Language) -> Path:
        """The Sphinx source tree of a language."""
        return self.built / "source" / language.code

    def pages(self, language: Language) -> Path:
        """The HTML of a language, while it is being built."""
        return self.candidate / language.url

    def catalogues(self, language: Language) -> Path:
        """The ``.po`` files of a language."""
        return self.docs / "locale" / language.code / "LC_MESSAGES"

    def scripts(self) -> list[Path]:
        """Every script of the gallery, relative to ``examples``, in a fixed order."""
        return sorted(
            path.relative_to(self.examples) for path in self.examples.glob("*/*.py")
        )

    def headers(self) -> list[Path]:
        """The introductions of the gallery and of its chapters, likewise."""
        return sorted(
            path.relative_to(self.examples)
            for path in self.examples.rglob("GALLERY_HEADER.rst")
        )

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """The ``[project]`` table of ``pyproject.toml``."""
        with (self.root / "pyproject.toml").open("rb") as file:
            return tomllib.load(file)["project"]

    @cached_property
    def address(self) -> str:
        """Where the site is published, with a slash at the end.

        The documentation address in ``pyproject.toml``, or what the environment
        variable ``GRADGUIDE_SITE`` says.
        """
        declared = self.metadata["urls"]["Documentation"]
        return os.environ.get("GRADGUIDE_SITE", declared).rstrip("/") + "/"

    @cached_property
    def epoch(self) -> int:
        """The time that the site carries, in seconds: that of the last commit.

        A build has to give the same bytes whenever it runs. Outside a git checkout
        it is the time of ``pyproject.toml``, or what ``SOURCE_DATE_EPOCH`` says.
        """
        if "SOURCE_DATE_EPOCH" in os.environ:
            return int(os.environ["SOURCE_DATE_EPOCH"])
        git = ["git", "-C", str(self.root), "log", "-1", "--format=%ct"]
        try:
            return int(subprocess.run(git, capture_output=True, check=True).stdout)
        except (OSError, ValueError, subprocess.CalledProcessError):
            return int((self.root / "pyproject.toml").stat().st_mtime)
