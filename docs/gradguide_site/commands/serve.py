"""Build the site, show it on loopback, and build it again on every save."""

from __future__ import annotations

import time

from livereload import Server

from gradguide_site.commands.build import build
from gradguide_site.project import PipelineError, Project

HOST = "127.0.0.1"


def serve(project: Project, *, port: int = 8000, open_browser: bool = True) -> None:
    """Serve the site until interrupted; the page in the browser follows each save.

    A draft: what is not translated yet is shown in English, and a fault is printed
    while the last good site stays.
    """

    def rebuild() -> None:
        begun = time.monotonic()
        try:
            build(project, strict=False)
        except PipelineError as error:
            print(f"{error}\nSave a correction; the page shows the last good site.")
        else:
            print(f"Built in {time.monotonic() - begun:.0f} s.")

    rebuild()
    server = Server()
    for source in ("docs/**/*", "examples/**/*", "src/**/*.py"):
        server.watch(
            str(project.root / source),
            rebuild,
            ignore=lambda path: (
                str(project.built) in path or path.endswith(("~", ".swp"))
            ),
        )
    server.serve(
        root=str(project.site),
        host=HOST,
        port=port,
        open_url_delay=1 if open_browser else None,
    )
