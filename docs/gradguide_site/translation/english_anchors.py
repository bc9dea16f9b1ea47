"""Give the sections of a gallery page the anchors of its English titles.

docutils can't make an anchor of a Chinese title and calls it ``id1``. With the same
anchors, a link to a section, and a switch of language there, lead to the same place.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from gradguide_site.running.reading_order import read


class EnglishAnchors(SphinxTransform):
    """Rename the anchor of each section, in order."""

    default_priority = 600  # when all targets have found their section

    def apply(self) -> None:
        titles = self.config.english_headings.get(self.env.docname, [])
        sections = list(self.document.findall(nodes.section))
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
        """Return the anchor that was made of the title, not one that was given."""
        explicit = {
            self.document.nameids.get(name)
            for name, is_explicit in self.document.nametypes.items()
            if is_explicit
        }
        return next(anchor for anchor in section["ids"] if anchor not in explicit)


def _load(app: Sphinx) -> None:
    """Read the titles that staging the tree has written down."""
    headings = json.loads(Path(app.srcdir, "headings.json").read_text("utf-8"))
    if "gallery/index" in headings:  # it holds the introduction of each chapter, too
        for chapter in read(Path(app.srcdir, "examples")):
            page = PurePosixPath("gallery", chapter, "index")
            headings["gallery/index"] += headings[str(page)]
    app.config.english_headings = headings


def setup(app: Sphinx) -> None:
    app.add_config_value("english_headings", {}, "", types=[dict])
    app.connect("builder-inited", _load)
    app.add_transform(EnglishAnchors)
