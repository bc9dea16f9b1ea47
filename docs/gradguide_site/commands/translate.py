"""Update every catalogue from the sources, and report what is not translated.

The messages of scripts come from ``translation.gallery``, those of pages and docstrings
from Sphinx's gettext builder, and those of templates and extensions from Babel.
"""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

from babel.messages import extract, pofile
from babel.support import Translations

from gradguide_site.project import (
    ENGLISH,
    LANGUAGES,
    Language,
    PipelineError,
    Project,
    is_generated,
)
from gradguide_site.running.sphinx_builds import Build, Job, run
from gradguide_site.running.stage import stage, write
from gradguide_site.translation import catalogues
from gradguide_site.translation.gallery import sources

MISTRANSLATED = ("Yields", "Variables")
"""Messages that Sphinx translates wrongly for a generator and for a variable."""

FURO = ("Back to top", "Home", "Next", "On this page", "Previous", "Skip to content")
"""Messages of Furo, which has no Chinese translation."""

SITE = Path(__file__).parents[1]


def translate(project: Project, *, check: bool = False) -> None:
    """Update the catalogues of every language and print what is missing.

    With ``check``, write nothing.

    Raises:
        PipelineError: Sphinx can't read the pages or, with ``check``, a catalogue is
            outdated or incomplete.
    """
    messages = {
        **_page_messages(project),
        **{source.catalogue: source.messages() for source in sources(project)},
    }
    unfinished = 0
    for language in LANGUAGES:
        if language != ENGLISH:
            interface = {Path("sphinx.po"): _interface_messages(language)}
            unfinished += _refresh(project, language, messages | interface, check=check)
    if check and unfinished:
        raise PipelineError(
            f"{unfinished} catalogues or messages are not up to date. Run "
            "`nox -s translate` and fill in what it names."
        )


def _refresh(
    project: Project,
    language: Language,
    messages: dict[Path, list[str]],
    *,
    check: bool,
) -> int:
    """Update the catalogues of one language; return the number of problems left."""
    root = project.catalogues(language)
    outdated, problems, total = 0, [], 0
    for path, ids in sorted(messages.items()):
        old = catalogues.read(root / path, language)
        merged = catalogues.merge(old, ids)
        content = catalogues.text(merged, language)
        total += len(merged)
        name = (root / path).relative_to(project.root)
        if not (root / path).exists() or (root / path).read_bytes() != content:
            outdated += 1
            print(f"{name}: {'out of date' if check else 'refreshed'}")
            if not check:
                write(root / path, content)
        problems += catalogues.problems(name, merged, ids)
    for path in sorted(root.rglob("*.po")):
        if path.relative_to(root) not in messages:
            outdated += 1
            print(f"{path.relative_to(project.root)}: its source is gone")
            if not check:
                path.unlink()
    for problem in problems:
        print(problem)
    print(f"{language.code}: {total - len(problems)} of {total} messages translated")
    return len(problems) + (outdated if check else 0)


def _page_messages(project: Project) -> dict[Path, list[str]]:
    """Return the messages of pages and docstrings, by the path of their catalogue."""
    templates = project.built / "messages"
    shutil.rmtree(templates, ignore_errors=True)
    source = project.built / "source" / "messages"
    stage(project, ENGLISH, source)
    # No script runs, so the pages refer to figures and messages that don't exist.
    options = {
        "plot_gallery": "False",
        "suppress_warnings": ["image.not_readable", "sphinx_gallery"],
        "nitpicky": False,
    }
    run([Job(project, ENGLISH, source, [Build("gettext", templates, options)])])
    messages = {}
    for path in sorted(templates.rglob("*.pot")):
        domain = path.relative_to(templates).with_suffix(".po")
        if not is_generated(domain) and domain.name != "sphinx.po":
            with path.open("rb") as file:
                messages[domain] = [str(m.id) for m in pofile.read_po(file) if m.id]
    return messages


def _interface_messages(language: Language) -> list[str]:
    """Return the messages of templates and extensions that Sphinx doesn't translate."""
    sphinx = Translations.load(str(files("sphinx") / "locale"), language.code, "sphinx")
    keywords = {**extract.DEFAULT_KEYWORDS, "_": None}
    messages = dict.fromkeys((*MISTRANSLATED, *FURO))
    for pattern, method in (("*/templates/**/*.html", "jinja2"), ("**/*.py", "python")):
        for path in sorted(SITE.glob(pattern)):
            with path.open("rb") as file:
                for _, message, _, _ in extract.extract(method, file, keywords):
                    if sphinx.gettext(str(message)) == message:
                        messages[message] = None
    return list(messages)
