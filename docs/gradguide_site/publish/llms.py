"""List the Markdown files of all pages for language models: https://llmstxt.org.

The list has the order and the groups of the navigation, and the description of each
page.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from posixpath import normpath

from lxml.html import HtmlElement

from gradguide_site.pages.finished_pages import navigation, parse
from gradguide_site.project import ERRORS, Language, Project


def add_list(project: Project, language: Language) -> None:
    """Write ``llms.txt`` into the pages of a language."""
    pages = project.pages(language)
    (pages / "llms.txt").write_text(_list(project, pages, language), "utf-8")


def _list(project: Project, pages: Path, language: Language) -> str:
    home = parse(pages / "index.html")
    title = home.xpath("string(//meta[@property='og:title']/@content)")
    lines = [f"# {title}", "", f"> {_description(home)}"]
    for element in navigation(home):
        if element.tag == "p":
            lines += ["", f"## {element.text_content()}", ""]
            continue
        page = normpath(PurePosixPath(element.get("href", "").partition("#")[0]))
        if page.endswith(".html"):
            found = [page]
            if page == f"reference/{ERRORS}.html":  # the sidebar leaves them out
                errors = sorted(Path(pages, "reference", ERRORS).glob("*.html"))
                found += [path.relative_to(pages).as_posix() for path in errors]
            lines += [_line(project, language, pages, name) for name in found]
    return "\n".join(lines) + "\n"


def _line(project: Project, language: Language, pages: Path, name: str) -> str:
    page = parse(pages / name)
    title = page.xpath("string(//h1)").rstrip("¶#")
    address = f"{project.address}{language.url}/{name.removesuffix('.html')}.md"
    return f"- [{title}]({address}): {_description(page)}"


def _description(page: HtmlElement) -> str:
    return str(page.xpath("string(//meta[@name='description']/@content)"))
