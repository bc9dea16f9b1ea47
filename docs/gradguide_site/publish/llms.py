"""List the Markdown twins of all pages for assistants: https://llmstxt.org.

The pages, their order and their groups are those of the navigation; what is said of a
page is its description.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from posixpath import normpath

from lxml import html

from gradguide_site.project import LANGUAGES, Language, Project


def write(project: Project, site: Path) -> None:
    """Write ``llms.txt`` for each language, and one at the root that leads to them."""
    lines = [
        f"# {project.metadata['name']}",
        "",
        f"> {project.metadata['description']}",
    ]
    lines += ["", "## Languages", ""]
    for language in LANGUAGES:
        text = _pages(project, site / language.url, language)
        (site / language.url / "llms.txt").write_text(text, "utf-8")
        address = f"{project.address}{language.url}/llms.txt"
        lines.append(f"- [{language.name}]({address})")
    (site / "llms.txt").write_text("\n".join(lines) + "\n", "utf-8")


def _pages(project: Project, pages: Path, language: Language) -> str:
    front = _parse(pages / "index.html")
    lines = [f"# {_title(front)}", "", f"> {_description(front)}"]
    for element in front.xpath("//*[@class='sidebar-tree']//*[self::p or self::a]"):
        if element.tag == "p":
            lines += ["", f"## {element.text_content()}", ""]
            continue
        page = normpath(PurePosixPath(element.get("href").partition("#")[0]))
        if page.endswith(".html"):
            address = f"{project.address}{language.url}/{page.removesuffix('.html')}.md"
            said = _description(_parse(pages / page))
            lines.append(f"- [{element.text_content()}]({address}): {said}")
    return "\n".join(lines) + "\n"


def _parse(page: Path) -> html.HtmlElement:
    return html.parse(page, html.HTMLParser(encoding="utf-8")).getroot()


def _title(page: html.HtmlElement) -> str:
    return str(page.xpath("string(//meta[@property='og:title']/@content)"))


def _description(page: html.HtmlElement) -> str:
    return str(page.xpath("string(//meta[@name='description']/@content)"))
