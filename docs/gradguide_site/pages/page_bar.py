"""Add a bar of links below the title of each gallery page, and offer its downloads.

The bar has a button that copies the code, the downloads, links to Colab and the source,
and the version of PyTorch that printed the outputs. It replaces the download links of
sphinx-gallery, which are in English and at the end of the page.
"""

from __future__ import annotations

import shutil
import zipfile
from io import BytesIO
from pathlib import Path, PurePath, PurePosixPath
from urllib.parse import urlencode

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.locale import _
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.i18n import format_date

from gradguide_site.project import (
    SCRIPTS,
    Project,
    chapters,
    language,
    page_of,
    script_of,
    staged_as,
)
from gradguide_site.running.packages import missing
from gradguide_site.running.record import results, spans
from gradguide_site.running.stage import write

PROJECT = Project(Path(__file__).parents[3])
DOWNLOADS = {".py", ".ipynb"}


def _write_archives(app: Sphinx) -> None:
    """Write a reproducible zip archive of the downloads of each chapter."""
    if app.builder.name != "html":  # only the site offers them
        return
    for chapter in chapters(Path(app.srcdir)):
        files = sorted(path for path in chapter.iterdir() if path.suffix in DOWNLOADS)
        content = BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for path in files:
                entry = zipfile.ZipInfo(f"{chapter.name}/{path.name}")  # dated 1980
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())
        if files:
            write(chapter / f"{chapter.name}.zip", content.getvalue())


def _copy_downloads(app: Sphinx, exception: Exception | None) -> None:
    """Copy each download to the folder of its page."""
    if exception or app.builder.name != "html":
        return
    for folder in chapters(Path(app.srcdir)):
        for path in sorted(folder.iterdir()):
            if path.suffix in DOWNLOADS or path.name == f"{folder.name}.zip":
                target = Path(app.outdir, path.relative_to(app.srcdir))
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


class RemoveLinksOfSphinxGallery(SphinxTransform):
    """Remove the download links of sphinx-gallery, and the note that refers to them."""

    default_priority = 400
    classes = frozenset({"sphx-glr-download-link-note", "sphx-glr-footer-example"})

    def apply(self) -> None:
        for node in list(self.document.findall(nodes.Element)):
            if self.classes.intersection(node.get("classes", ())):
                node.parent.remove(node)
        for target in list(self.document.findall(nodes.target)):
            if target.get("refid", "").startswith("sphx-glr-download-"):
                target.parent.remove(target)


class BarBelowTitle(SphinxPostTransform):
    """Add the bar to the pages of the site, not to those of the book."""

    default_priority = 400
    builders = ("html",)

    def run(self, **_: object) -> None:
        script = script_of(self.env.docname)
        if script:
            title = next(iter(self.document.findall(nodes.title)))
            title.parent.insert(1, self._bar(script))

    def _bar(self, script: str) -> nodes.bullet_list:
        page = page_of(PurePosixPath(script))
        urls = self.config.project_urls
        folder = language(self.config.language).url
        report = {"title": f"{page}: ", "body": f"{folder}/{page}.html\n\n"}
        issues = f"{urls['Source']}/issues/new"
        label, done = _("Copy all"), _("Copied")
        attributes = f'type="button" class="copy-all" data-done="{done}"'
        copy = f"<button {attributes}>{label}</button>"
        bar = nodes.bullet_list(classes=["page-bar"])
        bar += nodes.list_item("", nodes.raw("", copy, format="html"))
        for label, address in (
            (_("Python script"), f"{page.name}.py"),
            (_("Jupyter notebook"), f"{page.name}.ipynb"),
            (_("Whole chapter (zip)"), f"{page.parent.name}.zip"),
            (_("Open in Colab"), f"{urls['Notebooks']}{folder}/{page}.ipynb"),
            (_("Source"), f"{urls['Source']}/blob/main/{SCRIPTS}/{script}.py"),
            (_("Report a problem"), f"{issues}?{urlencode(report)}"),
        ):
            link = nodes.reference("", label, refuri=address)
            link["internal"] = ":" not in address
            bar += nodes.list_item("", nodes.paragraph("", "", link))
        checked = nodes.paragraph("", self._checked(script))
        bar += nodes.list_item("", checked, classes=["checked"])
        return bar

    def _checked(self, script: str) -> str:
        """Say on which versions a script was checked, or why it did not run."""
        source = Path(self.env.srcdir, staged_as(PurePath(f"{script}.py")))
        if absent := missing(source):
            return _("Not run: %(packages)s not installed") % {
                "packages": ", ".join(absent)
            }
        return _("Checked with PyTorch %(version)s, %(date)s") % {
            "version": self._versions(script),
            "date": format_date("%Y-%m-%d", language=self.config.language),
        }

    def _versions(self, script: str) -> str:
        """Return the versions on which the assertions of a script hold."""
        built = self.config.html_context["torch_version"]
        held = results(script).held
        return spans(held) if built in held else built


def setup(app: Sphinx) -> None:
    urls = PROJECT.metadata["urls"]
    app.add_config_value("project_urls", urls, "env", types=[dict])
    # The archives need the notebooks that ``pages.notebooks`` finishes at 800.
    app.connect("builder-inited", _write_archives, priority=900)
    app.connect("build-finished", _copy_downloads)
    app.add_transform(RemoveLinksOfSphinxGallery)
    app.add_post_transform(BarBelowTitle)
