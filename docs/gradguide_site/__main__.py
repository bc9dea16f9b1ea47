"""Run a command of this package: build, serve, translate or linkcheck."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from gradguide_site import project as projects
from gradguide_site.commands.build import build
from gradguide_site.commands.linkcheck import check_links
from gradguide_site.commands.translate import translate
from gradguide_site.project import LANGUAGES, Language, PipelineError, Project


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    options = _parser().parse_args(arguments)
    project = Project(options.root.resolve())
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the processes, too
    try:
        options.run(project, options)
    except PipelineError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except (
        BrokenPipeError
    ):  # the reader of a pipe has ended, as in `nox -s docs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(
            f"\n{error}. The build writes to "
            f"{project.built}: see that there is room, and that you may write there.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The last good site is unchanged.", file=sys.stderr)
        return 130
    return 0


def _build(project: Project, options: argparse.Namespace) -> None:
    build(project, _languages(options))
    index = project.site / "index.html"
    print(f"\nThe site is in {project.site}")
    print(f"Open {index.as_uri()}, or run `nox -s serve` (search needs a server).")


def _serve(project: Project, options: argparse.Namespace) -> None:
    from gradguide_site.commands.serve import serve  # livereload is optional

    serve(
        project,
        _languages(options),
        port=options.port,
        open_browser=not options.no_browser,
    )


def _languages(options: argparse.Namespace) -> Sequence[Language]:
    return [projects.language(code) for code in options.language] or LANGUAGES


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gradguide_site", description=__doc__)
    parser.add_argument(
        "--root",
        type=Path,
        default=Path(__file__).parents[2],
        help="the checkout (default: the checkout of this file)",
    )
    commands = parser.add_subparsers(required=True)

    site = commands.add_parser("build", help="build the site")
    site.set_defaults(run=_build)
    serve = commands.add_parser(
        "serve", help="show the site and rebuild it on every save"
    )
    serve.add_argument("--port", type=int, default=8000)
    serve.add_argument("--no-browser", action="store_true")
    serve.set_defaults(run=_serve)
    for command in (site, serve):
        command.add_argument(
            "language", nargs="*", help="build only these languages (default: all)"
        )

    linkcheck = commands.add_parser("linkcheck", help="check every external address")
    linkcheck.set_defaults(run=lambda project, _: check_links(project))

    catalogues = commands.add_parser("translate", help="update the catalogues")
    catalogues.add_argument("--check", action="store_true", help="change nothing")
    catalogues.set_defaults(
        run=lambda project, options: translate(project, check=options.check)
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
