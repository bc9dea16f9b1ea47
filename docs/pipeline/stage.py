"""Lay out a complete Sphinx source tree for each language, its scripts translated.

A file that would not change keeps its time of modification, so that Sphinx and
sphinx-gallery do again only what has to be done again.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from babel.messages import Catalog

from . import catalogues, rest, scripts
from .project import ENGLISH, GALLERY, SCRIPTS, Language, PipelineError, Project

NOT_STAGED = {"_build", "extensions", "locale", "pipeline", "root", "__pycache__"}
"""Folders of ``docs`` that are no source of a page."""

HEADINGS = "headings.json"
"""Where a tree keeps the English titles of its scripts; anchors are made of them."""

RUNS = "runs.json"
"""The fingerprint of each script's last run; beside the tree of a language."""

RUNNERS = ("fresh_start.py", "figures.py", "figures.mplstyle")
"""The extensions that decide what a script prints and draws."""


def stage(
    project: Project, language: Language, target: Path, *, strict: bool = True
) -> None:
    """Bring a source tree up to date.

    Args:
        project: The checkout to read.
        language: The language of the tree.
        target: The folder of the tree.
        strict: Whether a message without translation is an error; otherwise it stays
            in English.

    Raises:
        PipelineError: A script or a catalogue can't be used, or isn't complete.
    """
    wanted = {
        **_pages(project),
        **_catalogues(project, language),
        **_translated_scripts(project, language, strict=strict),
        Path(HEADINGS): _headings(project),
    }
    _forget_removed_scripts(project, target)
    _forget_outdated_runs(project, target, wanted)
    for path, content in wanted.items():
        _write(target / path, content)
    for path in _files(target):
        if path.parts[0] != GALLERY and path not in wanted and path.suffix != ".mo":
            (target / path).unlink()


def unfinished(project: Project, language: Language) -> list[catalogues.Problem]:
    """Return each message of a script that can't be translated yet."""
    found = []
    for path, messages in script_messages(project).items():
        catalogue = project.catalogues(language) / path
        shown = catalogue.relative_to(project.root)
        read = catalogues.read(catalogue, language)
        found += catalogues.problems(shown, read, messages)
    return found


def script_messages(project: Project) -> dict[Path, list[str]]:
    """Return what there is to translate in the gallery, by catalogue."""
    found = {}
    for path in project.scripts():
        source = (project.examples / path).read_text("utf-8")
        found[SCRIPTS / path.with_suffix(".po")] = scripts.messages(
            source, _shown(path)
        )
    for path in project.headers():
        source = (project.examples / path).read_text("utf-8")
        found[SCRIPTS / path.with_suffix(".po")] = rest.messages(source.split("\n"))
    return found


def _shown(script: Path) -> str:
    return (SCRIPTS / script).as_posix()


def _pages(project: Project) -> dict[Path, bytes]:
    return {
        path: (project.docs / path).read_bytes()
        for path in _files(project.docs)
        if not NOT_STAGED.intersection(path.parts)
    }


def _catalogues(project: Project, language: Language) -> dict[Path, bytes]:
    """Return the catalogues of pages; Sphinx compiles and applies them."""
    root = project.catalogues(language)
    place = Path("locale") / language.code / "LC_MESSAGES"
    found = {}
    for path in sorted(root.rglob("*.po")):
        if (relative := path.relative_to(root)).parts[0] != SCRIPTS:
            catalogues.read(path, language)  # a malformed one is reported here
            found[place / relative] = path.read_bytes()
    return found


def _translated_scripts(
    project: Project, language: Language, *, strict: bool
) -> dict[Path, bytes]:
    if language != ENGLISH and strict and (missing := unfinished(project, language)):
        raise PipelineError(
            "\n".join(map(str, missing))
            + f"\n{len(missing)} messages have no {language.code} translation that can "
            "be used. Run `nox -s translate`, fill them in, and build again."
        )
    found = {}
    for path in [*project.scripts(), *project.headers()]:
        source = (project.examples / path).read_text("utf-8")
        catalogue = project.catalogues(language) / SCRIPTS / path.with_suffix(".po")
        read = catalogues.read(catalogue, language)

        def gettext(message: str, read: Catalog = read) -> str:
            return catalogues.gettext(read, message)

        if path.suffix == ".py":
            translated = scripts.translate(source, gettext, _shown(path))
        else:
            translated = "\n".join(rest.rewrite(source.split("\n"), gettext))
        found[SCRIPTS / path] = translated.encode()
    return found


def _headings(project: Project) -> bytes:
    """Return the English section titles of each page of the gallery, as JSON."""
    found = {}
    for path in project.scripts():
        source = (project.examples / path).read_text("utf-8")
        page = (GALLERY / path.with_suffix("")).as_posix()
        found[page] = scripts.headings(source, _shown(path))
    for path in project.headers():
        source = (project.examples / path).read_text("utf-8")
        page = (GALLERY / path.with_name("index")).as_posix()
        found[page] = rest.headings(source.split("\n"))
    return json.dumps(found, indent=1, sort_keys=True).encode()


def _forget_outdated_runs(
    project: Project, target: Path, wanted: Mapping[Path, bytes]
) -> None:
    """Make scripts run again that have changed, or would print something else now.

    sphinx-gallery remembers the last run that went well, not one that failed since.
    """
    record = target.with_name(f"{target.name}.{RUNS}")
    before = json.loads(record.read_text()) if record.exists() else {}
    now = {
        path.as_posix(): _fingerprint(project, wanted[SCRIPTS / path])
        for path in project.scripts()
    }
    for script, fingerprint in now.items():
        if before.get(script) != fingerprint:
            (target / GALLERY / f"{script}.md5").unlink(missing_ok=True)
    _write(record, json.dumps(now, indent=1).encode())


def _fingerprint(project: Project, script: bytes) -> str:
    """Return a digest of all that decides what a script prints and draws."""
    digest = hashlib.sha256(sys.version.encode() + script)
    for name in ("torch", "numpy", "matplotlib", "sphinx-gallery"):
        digest.update(importlib.metadata.version(name).encode())
    parts = [project.docs / "extensions" / name for name in RUNNERS]
    if b"gradguide" in script:
        parts += sorted((project.root / "src").rglob("*.py"))
    for path in parts:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _forget_removed_scripts(project: Project, target: Path) -> None:
    """Remove what was made of a chapter that has lost a script."""
    gallery = target / GALLERY
    scripts_now = set(project.scripts())
    for made in gallery.glob("*/*.py"):
        if made.relative_to(gallery) not in scripts_now:
            shutil.rmtree(made.parent, ignore_errors=True)


def _files(root: Path) -> Iterator[Path]:
    """Yield each file below a folder, relative to it."""
    for path in sorted(root.rglob("*")):
        if path.is_file():
            yield path.relative_to(root)


def _write(path: Path, content: bytes) -> None:
    """Write a file, unless it says the same already."""
    if not (path.exists() and path.read_bytes() == content):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
