"""The folders of a checkout, its settings, and the languages of the site."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

SCRIPTS = "examples"
"""The folder of the scripts, in the repository and in each source tree."""

GALLERY = "gallery"
"""The folder of the pages that sphinx-gallery makes of the scripts."""

ERRORS = "errors"
"""The chapter whose pages are in the reference: one for each error or warning."""


def page_of(script: PurePath) -> PurePosixPath:
    """Return the page of a script or chapter, given relative to ``examples``."""
    above = "reference" if script.parts[0] == ERRORS else GALLERY
    return PurePosixPath(above, script.with_suffix(""))


def is_generated(path: PurePath) -> bool:
    """Whether sphinx-gallery writes a page or file, given in a source tree."""
    return path.is_relative_to(GALLERY) or path.is_relative_to(f"reference/{ERRORS}")


def script_of(page: str) -> str | None:
    """Return the script that a page is made of, as ``page_of`` takes it; or None."""
    match = re.fullmatch(rf"(?:{GALLERY}/|reference/(?={ERRORS}/))([^/]+/[^/]+)", page)
    return match[1] if match and not page.endswith("/index") else None


def staged_as(script: PurePath) -> PurePosixPath:
    """Return where a source tree has a script; ``ERRORS`` is a gallery of its own."""
    return PurePosixPath("" if script.parts[0] == ERRORS else SCRIPTS, script)


def chapters(tree: Path) -> list[Path]:
    """Return the folders of a source tree in which sphinx-gallery writes pages."""
    folders = [*tree.glob(f"{GALLERY}/*/"), tree / "reference" / ERRORS]
    return sorted(folder for folder in folders if folder.is_dir())


class PipelineError(Exception):
    """An error that the user can correct. The text says how."""


@dataclass(frozen=True)
class Language:
    """One language of the site.

    Attributes:
        code: The code that Sphinx and gettext use.
        tag: The BCP 47 tag, for HTML.
        url: The folder of the site that has its pages.
        name: The name of the language in the language itself.
    """

    code: str
    tag: str
    url: str
    name: str


ENGLISH = Language("en", "en", "en", "English")
CHINESE = Language("zh_CN", "zh-CN", "zh-cn", "中文")
LANGUAGES = (ENGLISH, CHINESE)
"""Every language; the language of the sources comes first."""


def language(code: str) -> Language:
    """Return the language with this code, tag or URL."""
    for candidate in LANGUAGES:
        if code in (candidate.code, candidate.tag, candidate.url):
            return candidate
    choice = ", ".join(candidate.code for candidate in LANGUAGES)
    raise PipelineError(f"unknown language {code!r}: choose one of {choice}.")


@dataclass(frozen=True)
class Project:
    """A checkout: its folders, sources and metadata."""

    root: Path

    @property
    def docs(self) -> Path:
        return self.root / "docs"

    @property
    def examples(self) -> Path:
        return self.root / SCRIPTS

    @property
    def built(self) -> Path:
        """All files that the build writes; can be deleted at any time."""
        return self.docs / "_build"

    @property
    def site(self) -> Path:
        """The last good site."""
        return self.built / "html"

    @property
    def candidate(self) -> Path:
        """The pages that Sphinx writes, from which the new site is assembled."""
        return self.built / "candidate"

    def staged(self, language: Language) -> Path:
        """The Sphinx source tree of a language."""
        return self.built / "source" / language.code

    def pages(self, language: Language) -> Path:
        """The HTML of a language in the candidate."""
        return self.candidate / language.url

    def catalogues(self, language: Language) -> Path:
        """The ``.po`` files of a language."""
        return self.docs / "locale" / language.code / "LC_MESSAGES"

    def scripts(self) -> list[Path]:
        """Return the path of every script, relative to ``examples``, sorted."""
        return sorted(
            path.relative_to(self.examples) for path in self.examples.glob("*/*.py")
        )

    def headers(self) -> list[Path]:
        """Return the introductions of the gallery and of its chapters, likewise."""
        return sorted(
            path.relative_to(self.examples)
            for path in self.examples.rglob("GALLERY_HEADER.rst")
        )

    @cached_property
    def _pyproject(self) -> dict[str, Any]:
        return tomllib.loads((self.root / "pyproject.toml").read_text("utf-8"))

    @property
    def metadata(self) -> dict[str, Any]:
        """The ``[project]`` table of ``pyproject.toml``."""
        return self._pyproject["project"]

    @property
    def packages(self) -> list[str]:
        """The names of the packages that the site is made with."""
        groups = self._pyproject["dependency-groups"]
        requirements = [*groups["site"], *groups["chapter-frameworks"]]
        return [re.split(r"[^\w.-]", requirement)[0] for requirement in requirements]

    @cached_property
    def address(self) -> str:
        """The address at which the site is published, with a slash at the end.

        It is the documentation address in ``pyproject.toml``, unless the environment
        variable ``GRADGUIDE_SITE`` is set.
        """
        declared = self.metadata["urls"]["Documentation"]
        return os.environ.get("GRADGUIDE_SITE", declared).rstrip("/") + "/"

    @cached_property
    def epoch(self) -> int:
        """The date of the site, in seconds since 1970.

        It is the date of the last commit, so that builds of the same commit are equal.
        ``SOURCE_DATE_EPOCH`` overrides it. Without git, it is the modification time of
        ``pyproject.toml``.
        """
        if "SOURCE_DATE_EPOCH" in os.environ:
            return int(os.environ["SOURCE_DATE_EPOCH"])
        git = ["git", "-C", str(self.root), "log", "-1", "--format=%ct"]
        try:
            return int(subprocess.run(git, capture_output=True, check=True).stdout)
        except (OSError, ValueError, subprocess.CalledProcessError):
            return int((self.root / "pyproject.toml").stat().st_mtime)
