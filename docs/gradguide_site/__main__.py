"""The commands that nox gives."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from gradguide_site import project as projects
from gradguide_site.commands.build import build
from gradguide_site.project import LANGUAGES, PipelineError, Project


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return the exit code."""
    options = _parser().parse_args(arguments)
    project = Project(options.root.resolve())
    try:
        options.run(project, options)
    except PipelineError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # nobody reads on, as in `nox -s docs | head`
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
    build(project, [projects.language(code) for code in options.language] or LANGUAGES)
    index = project.site / "index.html"
    print(f"\nThe site is in {project.site}")
    print(f"Open {index.as_uri()}, or run `nox -s serve` (search needs a server).")


def _serve(project: Project, options: argparse.Namespace) -> None:
    from gradguide_site.commands.serve import serve

    serve(project, port=options.port, open_browser=not options.no_browser)


def _linkcheck(project: Project, options: argparse.Namespace) -> None:
    from gradguide_site.commands.linkcheck import check_links

    check_links(project)


def _translate(project: Project, options: argparse.Namespace) -> None:
    from gradguide_site.commands.translate import translate

    translate(project, check=options.check)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gradguide_site", description=__doc__)
    parser.add_argument(
        "--root",
        type=Path,
        default=Path(__file__).parents[2],
        help="the checkout (default: the one that this file is in)",
    )
    commands = parser.add_subparsers(required=True)

    builds = commands.add_parser("build", help="build the site")
    builds.add_argument("language", nargs="*", help="only these; default: all")
    builds.set_defaults(run=_build)

    serve = commands.add_parser("serve", help="build on every save, show on loopback")
    serve.add_argument("--port", type=int, default=8000)
    serve.add_argument("--no-browser", action="store_true")
    serve.set_defaults(run=_serve)

    linkcheck = commands.add_parser("linkcheck", help="ask every outside address")
    linkcheck.set_defaults(run=_linkcheck)

    translate = commands.add_parser("translate", help="refresh the catalogues")
    translate.add_argument(
        "--check", action="store_true", help="only say what is wrong"
    )
    translate.set_defaults(run=_translate)
    return parser


if __name__ == "__main__":
    sys.exit(main())
