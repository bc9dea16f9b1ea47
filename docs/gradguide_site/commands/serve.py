"""Show the site on this machine and rebuild it on every save."""

from __future__ import annotations

import time
from collections.abc import Sequence

from livereload import Server

from gradguide_site.commands.build import build
from gradguide_site.project import LANGUAGES, Language, PipelineError, Project

HOST = "127.0.0.1"


def serve(
    project: Project,
    languages: Sequence[Language] = LANGUAGES,
    *,
    port: int = 8000,
    open_browser: bool = True,
) -> None:
    """Serve a draft of the site until interrupted; reload the page after each save.

    In a draft, messages without translation are in English. Its search index is made
    once, at the start. If a build fails, the error is printed and the last good site is
    still served.
    """

    def rebuild(*, with_index: bool) -> None:
        begun = time.monotonic()
        try:
            build(project, languages, strict=False, with_index=with_index)
        except PipelineError as error:
            print(f"{error}\nSave a correction; the page shows the last good site.")
        else:
            print(f"Built in {time.monotonic() - begun:.0f} s.")

    rebuild(with_index=True)
    server = Server()
    for source in ("docs/*", "docs/[!_]*/**/*", "examples/**/*", "src/**/*.py"):
        server.watch(
            str(project.root / source),
            lambda: rebuild(with_index=False),
            ignore=lambda path: path.endswith(("~", ".swp", ".new")),
        )
    server.serve(
        root=str(project.site),
        host=HOST,
        port=port,
        open_url_delay=1 if open_browser else None,
    )
