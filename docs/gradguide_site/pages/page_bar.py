"""Put a quiet bar below the title of a gallery page: what a reader can do with it.

Copy the code, take the script, the notebook or the whole chapter, open it in Colab, see
the source, report a problem; and with which PyTorch the page was checked, and when.
sphinx-gallery's own links are in English, at the end of the page: they are removed.
"""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path, PurePosixPath
from urllib.parse import urlencode

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.locale import _
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.i18n import format_date

from gradguide_site.project import GALLERY, SCRIPTS, Project, language

PROJECT = Project(Path(__file__).parents[3])
OFFERED = {".py", ".ipynb"}


def _write_archives(app: Sphinx) -> None:
    """Put the downloads of each chapter in one archive: the same bytes every time."""
    for chapter in sorted(Path(app.srcdir, GALLERY).glob("*/")):
        files = sorted(path for path in chapter.iterdir() if path.suffix in OFFERED)
        new = chapter / f"{chapter.name}.zip.new"
        with zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                entry = zipfile.ZipInfo(f"{chapter.name}/{path.name}")  # dated 1980
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())
        old = new.with_suffix("")
        if not files or (old.exists() and old.read_bytes() == new.read_bytes()):
            new.unlink()
        else:
            new.replace(old)


def _copy_downloads(app: Sphinx, exception: Exception | None) -> None:
    """Put each download beside its page, so that its address is easy to tell."""
    if exception or app.builder.name != "html":
        return
    for path in sorted(Path(app.srcdir, GALLERY).glob("*/*")):
        if path.suffix in OFFERED or path.name == f"{path.parent.name}.zip":
            target = Path(app.outdir, path.relative_to(app.srcdir))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


class RemoveLinksOfSphinxGallery(SphinxTransform):
    """Remove the links at the end of the page, and the note that leads to them."""

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
    """Add the bar, on the site only: a book has no use for it."""

    default_priority = 400
    builders = ("html",)

    def run(self, **_: object) -> None:
        page = PurePosixPath(self.env.docname)
        if page.match(f"{GALLERY}/*/*") and page.name != "index":
            title = next(iter(self.document.findall(nodes.title)))
            title.parent.insert(1, self._bar(page))

    def _bar(self, page: PurePosixPath) -> nodes.bullet_list:
        urls = self.config.project_urls
        own = language(self.config.language)
        report = {"title": f"{page}: ", "body": f"{own.url}/{page}.html\n\n"}
        script = PurePosixPath(SCRIPTS, *page.parts[1:])
        words, done = _("Copy all"), _("Copied")
        copy = (
            f'<button type="button" class="copy-all" data-done="{done}">'
            f"{words}</button>"
        )
        bar = nodes.bullet_list(classes=["page-bar"])
        bar += nodes.list_item("", nodes.raw("", copy, format="html"))
        for words, address in (
            (_("Python script"), f"{page.name}.py"),
            (_("Jupyter notebook"), f"{page.name}.ipynb"),
            (_("Whole chapter (zip)"), f"{page.parent.name}.zip"),
            (_("Open in Colab"), f"{urls['Notebooks']}{own.url}/{page}.ipynb"),
            (_("Source"), f"{urls['Source']}/blob/main/{script}.py"),
            (
                _("Report a problem"),
                f"{urls['Source']}/issues/new?{urlencode(report)}",
            ),
        ):
            link = nodes.reference(
                "", words, refuri=address, internal=":" not in address
            )
            bar += nodes.list_item("", nodes.paragraph("", "", link))
        checked = _("Checked with PyTorch %(version)s, %(date)s") % {
            "version": self.config.html_context["torch_version"],
            "date": format_date("%Y-%m-%d", language=self.config.language),
        }
        bar += nodes.list_item("", nodes.paragraph("", checked), classes=["checked"])
        return bar


def setup(app: Sphinx) -> None:
    urls = PROJECT.metadata["urls"]
    app.add_config_value("project_urls", urls, "env", types=[dict])
    app.connect("builder-inited", _write_archives, priority=900)  # notebooks are there
    app.connect("build-finished", _copy_downloads)
    app.add_transform(RemoveLinksOfSphinxGallery)
    app.add_post_transform(BarBelowTitle)
