"""List the Markdown files of all pages for language models: https://llmstxt.org.

The list has the order and the groups of the navigation, and the description of each
page.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from posixpath import normpath

from gradguide_site.pages.finished_pages import navigation, parse, read_each
from gradguide_site.project import ERRORS, Language, Project


def add_list(project: Project, language: Language) -> None:
    """Write ``llms.txt`` into the pages of a language."""
    pages = project.pages(language)
    (pages / "llms.txt").write_text(_list(project, pages, language), "utf-8")


def _list(project: Project, pages: Path, language: Language) -> str:
    kept = project.built / f"listed.{language.code}"
    about = read_each(sorted(pages.rglob("*.html")), _about, kept)
    home = parse(pages / "index.html")
    title = home.xpath("string(//meta[@property='og:title']/@content)")
    lines = [f"# {title}", "", f"> {about[pages / 'index.html'][1]}"]
    for element in navigation(home):
        if element.tag == "p":
            lines += ["", f"## {element.text_content()}", ""]
            continue
        page = normpath(PurePosixPath(element.get("href", "").partition("#")[0]))
        if page.endswith(".html"):
            listed = [page]
            if page == f"reference/{ERRORS}.html":  # the sidebar leaves them out
                errors = sorted(Path(pages, "reference", ERRORS).glob("*.html"))
                listed += [path.relative_to(pages).as_posix() for path in errors]
            for name in listed:
                title, description = about[pages / name]
                file = f"{name.removesuffix('.html')}.md"
                address = f"{project.address}{language.url}/{file}"
                lines.append(f"- [{title}]({address}): {description}")
    return "\n".join(lines) + "\n"


def _about(page: Path) -> tuple[str, str]:
    """Return the title and the description of a page."""
    root = parse(page)
    title = root.xpath("string(//h1)").rstrip("¶#")
    return title, str(root.xpath("string(//meta[@name='description']/@content)"))
