"""Assemble the pages of all languages into a site, and publish the site.

The new site replaces the old one in the last step, by two renames. An error before
that leaves the old site unchanged.
"""

from __future__ import annotations

import re
import shutil
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gradguide_site.project import ENGLISH, LANGUAGES, Project

NOT_PUBLISHED = {".buildinfo", ".buildinfo.bak", "_sources", "objects.inv"}
"""Files and folders that Sphinx writes beside the pages."""

TEMPLATES = Path(__file__).with_name("root")
"""Templates of the files in the root of the site."""


def assemble(project: Project) -> Path:
    """Create a new site beside the last good one, and return its folder."""
    new = project.site.with_name("html.new")
    shutil.rmtree(new, ignore_errors=True)

    def add(source: str, target: str) -> None:
        _add(source, target, project.site / Path(target).relative_to(new))

    ignore = shutil.ignore_patterns(*NOT_PUBLISHED)
    shutil.copytree(project.candidate, new, ignore=ignore, copy_function=add)
    _root_pages(project, new)
    return new


def _add(source: str, target: str, published: Path) -> None:
    """Add a file to a new site: that of the last good site, or a copy of a newer one.

    Both sites can share it, because a file of a site is never written to again.
    """
    try:
        if published.stat().st_mtime_ns == Path(source).stat().st_mtime_ns:
            Path(target).hardlink_to(published)
            return
    except OSError:  # it is new, or the file system knows no links
        pass
    shutil.copy2(source, target)


def publish(new: Path, site: Path) -> None:
    """Replace the last good site with a new one."""
    old = site.with_name("html.old")
    shutil.rmtree(old, ignore_errors=True)
    if site.exists():
        site.replace(old)
    new.replace(site)
    shutil.rmtree(old, ignore_errors=True)


def recover(project: Project) -> None:
    """Restore the last good site if a build was stopped between the two renames."""
    old = project.site.with_name("html.old")
    if old.exists() and not project.site.exists():
        old.replace(project.site)


def _root_pages(project: Project, site: Path) -> None:
    """Write the files of the root, such as the start page and the sitemap."""
    templates = Environment(
        autoescape=True,
        keep_trailing_newline=True,
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
    )
    pages = sorted(
        path.relative_to(site / ENGLISH.url).as_posix()
        for path in (site / ENGLISH.url).rglob("*.html")
        if path.name != "search.html"
    )
    for path in sorted(TEMPLATES.iterdir()):
        text = templates.get_template(path.name).render(
            address=project.address,
            base=urlsplit(project.address).path,
            date=datetime.fromtimestamp(project.epoch, UTC).date().isoformat(),
            languages=LANGUAGES,
            metadata=project.metadata,
            pages=pages,
        )
        if path.suffix == ".html":
            text = _with_policy(text)
        (site / path.name).write_text(text, "utf-8")
    (site / ".nojekyll").touch()  # without it, GitHub Pages does not serve _static


def _with_policy(page: str) -> str:
    """Add a security policy that allows only the script and style of the page."""
    allowed = ["default-src 'none'", "base-uri 'none'", "img-src 'self'"]
    for tag in ("script", "style"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = b64encode(sha256(text.encode()).digest()).decode()
        allowed.append(f"{tag}-src 'sha256-{digest}'")
    policy = "; ".join(allowed)
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    return page.replace('<meta charset="utf-8">', f'<meta charset="utf-8">\n{meta}', 1)
