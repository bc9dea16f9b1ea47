"""Offer a script's downloads below its title, in the page's language.

sphinx-gallery writes its links in English, at the end of the page. They are replaced by
the script, the notebook, and all scripts and notebooks of the chapter in one archive.
"""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.locale import _
from sphinx.transforms import SphinxTransform

OFFERED = {".py", ".ipynb"}


def _write_archives(app: Sphinx) -> None:
    """Put the downloads of each chapter in one archive: the same bytes every time."""
    for chapter in sorted(Path(app.srcdir, "gallery").glob("*/")):
        files = sorted(path for path in chapter.iterdir() if path.suffix in OFFERED)
        new = chapter / f"{chapter.name}.zip.new"
        with zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                entry = zipfile.ZipInfo(f"{chapter.name}/{path.name}")  # dated 1980
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())
        old = new.with_suffix("")
        if old.exists() and old.read_bytes() == new.read_bytes():
            new.unlink()
        elif files:
            new.replace(old)


class DownloadsBelowTitle(SphinxTransform):
    """Move the downloads of a gallery page to where a reader looks for them."""

    default_priority = 400

    def apply(self) -> None:
        footers = [
            node
            for node in self.document.findall(nodes.container)
            if "sphx-glr-footer-example" in node["classes"]
        ]
        if not footers:
            return
        note = next(
            node
            for node in self.document.findall(nodes.note)
            if "sphx-glr-download-link-note" in node["classes"]
        )
        for node in (*footers, note):
            node.parent.remove(node)
        for target in list(self.document.findall(nodes.target)):
            if target.get("refid", "").startswith("sphx-glr-download-"):
                target.parent.remove(target)
        title = next(iter(self.document.findall(nodes.title)))
        title.parent.insert(1, self._downloads())

    def _downloads(self) -> nodes.bullet_list:
        page = PurePosixPath(self.env.docname)
        chapter = page.parent.name
        links = nodes.bullet_list(classes=["downloads"])
        for target, text in (
            (f"{page.name}.py", _("Python script")),
            (f"{page.name}.ipynb", _("Jupyter notebook")),
            (f"{chapter}.zip", _("Whole chapter (zip)")),
        ):
            link = addnodes.download_reference(
                "",
                "",
                nodes.inline(text=text),
                refdoc=self.env.docname,
                refdomain="",
                refexplicit=True,
                reftarget=target,
                reftype="download",
                refwarn=False,
            )
            links += nodes.list_item("", nodes.paragraph("", "", link))
        return links


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", _write_archives, priority=900)  # notebooks are there
    app.add_transform(DownloadsBelowTitle)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
