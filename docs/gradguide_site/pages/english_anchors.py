"""Give the sections of a gallery page the anchors of the English titles.

docutils can't make an anchor of a Chinese title and falls back to ``id1``. With equal
anchors, a link to a section works in every language, and the language menu keeps the
section.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from gradguide_site.project import GALLERY, SCRIPTS
from gradguide_site.running.reading_order import read
from gradguide_site.running.stage import HEADINGS


class EnglishAnchors(SphinxTransform):
    """Rename the anchor of each section, in order."""

    default_priority = 600  # docutils has attached the explicit targets to sections

    def apply(self) -> None:
        titles = self.config.english_headings.get(self.env.docname, [])
        # A section that a transform has added has an anchor, and no name.
        sections = [
            section
            for section in self.document.findall(nodes.section)
            if section["names"] or section["dupnames"]
        ]
        taken = set()
        for section, title in zip(sections, titles, strict=True) if titles else ():
            old, new = self._implicit(section), nodes.make_id(title)
            while new in taken:
                new += "-again"
            taken.add(new)
            section["ids"].remove(old)
            section["ids"].insert(0, new)
            self.document.ids.pop(old, None)
            self.document.ids[new] = section
            for name, anchor in self.document.nameids.items():
                if anchor == old:
                    self.document.nameids[name] = new

    def _implicit(self, section: nodes.section) -> str:
        """Return the anchor that docutils made of the title of a section."""
        explicit = {
            self.document.nameids.get(name)
            for name, is_explicit in self.document.nametypes.items()
            if is_explicit
        }
        return next(anchor for anchor in section["ids"] if anchor not in explicit)


def _load(app: Sphinx) -> None:
    """Read the English titles, which ``running.stage`` has written to the tree."""
    headings = json.loads(Path(app.srcdir, HEADINGS).read_text("utf-8"))
    index = f"{GALLERY}/index"
    if index in headings:  # sphinx-gallery includes each chapter's introduction in it
        for chapter in read(Path(app.srcdir, SCRIPTS)):
            headings[index] += headings[str(PurePosixPath(GALLERY, chapter, "index"))]
    app.config.english_headings = headings


def setup(app: Sphinx) -> None:
    app.add_config_value("english_headings", {}, "", types=[dict])
    app.connect("builder-inited", _load)
    app.add_transform(EnglishAnchors)
