"""Convert the Sphinx roles in notebooks to links, and join the lines of Chinese text.

sphinx-gallery copies the prose of a script to its notebook without resolving roles.
Links to pages get the address at which the site is published.
"""

from __future__ import annotations

import json
import posixpath
import re
from itertools import chain
from pathlib import Path

from sphinx.application import Sphinx

from gradguide_site.chinese import join_lines
from gradguide_site.pages.torch_links import address
from gradguide_site.pages.versions import since
from gradguide_site.project import chapters
from gradguide_site.running.stage import write

HEADING = re.compile(r"^(#+ .*)\n(?=\S)", re.MULTILINE)
ROLE = re.compile(
    r":(?P<role>doc|torch|py:func|since):`(?:(?P<title>[^`<]+?)\s*<)?(?P<target>[^`>]+)>?`"
)


def _finish_notebooks(app: Sphinx) -> None:
    if app.builder.name != "html":  # only the site offers them
        return
    titles = app.config.sphinx_gallery_conf["titles"]
    title_of = {Path(script).stem: title for script, title in titles.items()}
    tree = Path(app.srcdir)
    notebooks = (folder.glob("*.ipynb") for folder in chapters(tree))
    for path in sorted(chain(*notebooks)):
        folder = path.parent.relative_to(tree).as_posix()
        notebook = json.loads(path.read_text("utf-8"))

        def link(match: re.Match[str], folder: str = folder) -> str:
            role, target = match["role"], match["target"]
            if role == "since":
                return since(target)
            if role == "torch":
                title, uri = f"`{target}`", address(app.config.torch_docs, target)
            elif role == "py:func":
                title = f"`{target}()`"
                uri = f"{app.config.html_baseurl}reference/api.html#{target}"
            else:
                title = str(title_of.get(target.rpartition("/")[2], target))
                page = posixpath.join(f"/{folder}", target).removeprefix("/")
                uri = f"{app.config.html_baseurl}{page}.html"
            return f"[{match['title'] or title}]({uri})"

        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                text = HEADING.sub(r"\1\n\n", "".join(cell["source"]))
                cell["source"] = [ROLE.sub(link, join_lines(text)).replace("``", "`")]
        content = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        write(path, content.encode())


def setup(app: Sphinx) -> None:
    # sphinx-gallery writes the notebooks in its own handler, at priority 500.
    app.connect("builder-inited", _finish_notebooks, priority=800)
