"""Refresh every catalogue from the sources, and say what is missing.

Scripts give their messages themselves, pages and docstrings through Sphinx's gettext
builder, templates and extensions through Babel; all are merged in the same way.
"""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

from babel.messages import extract, pofile
from babel.support import Translations

from gradguide_site.translation import catalogues
from gradguide_site.running.sphinx_builds import Build, Job, run
from gradguide_site.translation.gallery import sources
from gradguide_site.project import (
    ENGLISH,
    GALLERY,
    LANGUAGES,
    Language,
    PipelineError,
    Project,
)
from gradguide_site.running.stage import stage

MISTRANSLATED = ("Yields", "Variables")
"""Messages of Sphinx whose Chinese says something else: a generator, a variable."""


SITE = Path(__file__).parents[1]


def translate(project: Project, *, check: bool = False) -> None:
    """Bring the catalogues of every language up to date and print what they lack.

    Args:
        project: The checkout.
        check: Write nothing; an out-of-date or incomplete catalogue is an error.

    Raises:
        PipelineError: With ``check``, and when Sphinx can't read the pages.
    """
    wanted = {
        **_page_messages(project),
        **{source.catalogue: source.messages() for source in sources(project)},
    }
    open_ends = 0
    for language in LANGUAGES:
        if language != ENGLISH:
            own = wanted | {Path("sphinx.po"): _interface_messages(project, language)}
            open_ends += _refresh(project, language, own, check=check)
    if check and open_ends:
        raise PipelineError(
            f"{open_ends} catalogues or messages are not up to date. Run "
            "`nox -s translate` and fill in what it names."
        )


def _refresh(
    project: Project, language: Language, wanted: dict[Path, list[str]], *, check: bool
) -> int:
    """Refresh the catalogues of one language; return what is left to do."""
    root = project.catalogues(language)
    outdated, problems, total = 0, [], 0
    for path, messages in sorted(wanted.items()):
        old = catalogues.read(root / path, language)
        merged = catalogues.merge(old, messages)
        content = catalogues.text(merged, language)
        total += len(merged)
        shown = (root / path).relative_to(project.root)
        if not (root / path).exists() or (root / path).read_bytes() != content:
            outdated += 1
            print(f"{shown}: {'out of date' if check else 'refreshed'}")
            if not check:
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_bytes(content)
        problems += catalogues.problems(shown, merged, messages)
    for path in sorted(root.rglob("*.po")):
        if path.relative_to(root) not in wanted:
            outdated += 1
            print(f"{path.relative_to(project.root)}: its source is gone")
            if not check:
                path.unlink()
    for problem in problems:
        print(problem)
    print(f"{language.code}: {total - len(problems)} of {total} messages translated")
    return len(problems) + (outdated if check else 0)


def _page_messages(project: Project) -> dict[Path, list[str]]:
    """Return what there is to translate in pages and docstrings, by catalogue."""
    templates = project.built / "messages"
    shutil.rmtree(templates, ignore_errors=True)
    source = project.built / "source" / "messages"
    stage(project, ENGLISH, source)
    options = {
        "plot_gallery": "False",
        "nitpicky": False,
        "suppress_warnings": ["image.not_readable", "sphinx_gallery"],  # none is drawn
    }
    run([Job(project, ENGLISH, source, [Build("gettext", templates, options)])])
    found = {}
    for path in sorted(templates.rglob("*.pot")):
        domain = path.relative_to(templates).with_suffix(".po")
        if domain.parts[0] not in (GALLERY, "sphinx.po"):
            with path.open("rb") as file:
                found[domain] = [str(m.id) for m in pofile.read_po(file) if m.id]
    return found


def _interface_messages(project: Project, language: Language) -> list[str]:
    """Return the messages of templates and extensions that Sphinx can't translate."""
    known = Translations.load(str(files("sphinx") / "locale"), language.code, "sphinx")
    keywords = {**extract.DEFAULT_KEYWORDS, "_": None}
    found = dict.fromkeys(MISTRANSLATED)
    for pattern, method in (("*/templates/**/*.html", "jinja2"), ("**/*.py", "python")):
        for path in sorted(SITE.glob(pattern)):
            with path.open("rb") as file:
                for _, message, _, _ in extract.extract(method, file, keywords):
                    if known.gettext(str(message)) == message:
                        found[message] = None
    return list(found)
