"""The commands for every build and check; ``nox -l`` lists them."""

from __future__ import annotations

import os
import re
import shutil
from itertools import takewhile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "docs", "tests"]

PYPROJECT = nox.project.load_toml("pyproject.toml")
CONSTRAINTS = Path("constraints.txt")
PINNED = next(
    requirement.removeprefix("torch==")
    for requirement in nox.project.dependency_groups(PYPROJECT, "docs")
    if requirement.startswith("torch==")
)
TORCH = os.environ.get("TORCH", PINNED)
"""The version of PyTorch that all sessions use: TORCH=2.15.0 nox -s docs."""
if TORCH != PINNED:
    nox.options.envdir = f".nox/torch-{TORCH}"
SITE = {"PYTHONPATH": os.pathsep.join(["docs", "src"]), "PYTHONUTF8": "1"}


def install(session: nox.Session, group: str, torch: str = TORCH) -> None:
    """Install a dependency group of pyproject.toml, in the pinned versions.

    ``torch`` is the version of PyTorch, or ``newest``. The packages that another one
    depends on must fit it, so they are not pinned. Do nothing if the environment was
    installed from the same group and versions.
    """
    needed = nox.project.dependency_groups(PYPROJECT, group)
    pins = CONSTRAINTS.read_text("utf-8").splitlines(keepends=True)
    if torch != PINNED:
        needed = [one for one in needed if not one.startswith("torch==")]
        needed += ["torch" if torch == "newest" else f"torch=={torch}"]
        pins = [pin for pin in pins if not re.search(r"\btorch\b", pin)]
    versions = "\n".join([*needed, *pins])
    installed = Path(session.bin, "installed.txt")
    if not installed.exists() or installed.read_text("utf-8") != versions:
        constraints = Path(session.bin, "constraints.txt")
        constraints.write_text("".join(pins), "utf-8")
        upgrade = ["--upgrade"] if torch == "newest" else []
        session.install(*upgrade, "-c", str(constraints), *needed)
        installed.write_text(versions, "utf-8")


def site(session: nox.Session, *command: str) -> None:
    """Run a command of the package that makes the site."""
    session.run("python", "-m", "gradguide_site", *command, env=SITE)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site, in both languages, from a real run of every script.

    With FRAMEWORKS=0 in a new environment, the packages of chapter *frameworks* are not
    installed, and its scripts do not run.
    """
    install(session, "site" if os.environ.get("FRAMEWORKS") == "0" else "docs")
    site(session, "build", *session.posargs)


@nox.session
def serve(session: nox.Session) -> None:
    """Show the site on loopback and build it again on every save."""
    install(session, "serve")
    site(session, "serve", *session.posargs)


@nox.session
def translate(session: nox.Session) -> None:
    """Update the catalogues and list what is not translated, file by file."""
    install(session, "docs")
    site(session, "translate", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Test the module, the pipeline and the site, in a browser if there is one."""
    install(session, "tests")
    browsers = {
        "PLAYWRIGHT_BROWSERS_PATH": str(Path(session.bin, "browsers").resolve())
    }
    session.run("python", "tests/browser/executable.py", env=browsers)
    site(session, "build")
    # Packages of other sessions: their files would lengthen the names in reports.
    others = ("--ignore=tests/frameworks", "--ignore=tests/transformers")
    session.run("pytest", "-n", "auto", *others, *session.posargs, env=browsers)


@nox.session(default=False)
def frameworks(session: nox.Session) -> None:
    """Test the module on models and training programs of other packages."""
    install(session, "frameworks")
    tests = ("tests/frameworks", "tests/transformers")
    offline = {"HF_HUB_OFFLINE": "1"}
    session.run("pytest", *tests, *session.posargs, env=offline)


@nox.session(default=False)
def versions(session: nox.Session) -> None:
    """Test the module on other versions, and run all scripts: ``-- 2.10.0 newest``.

    It records in docs/versions.json what is different from the version that the site is
    built with. Options after the versions are passed to pytest.
    """
    chosen = list(takewhile(lambda one: not one.startswith("-"), session.posargs))
    options = session.posargs[len(chosen) :]
    if not chosen or not all(re.match(r"\d+\.\d|newest$", one) for one in chosen):
        session.error(
            "Which versions of PyTorch? Try: nox -s versions -- 2.10.0 newest"
        )
    found = Path(session.create_tmp(), "found").resolve()
    shutil.rmtree(found, ignore_errors=True)
    found.mkdir()
    for number, version in enumerate([PINNED, *chosen]):
        install(session, "versions", version)
        results = found / f"{number}.json"
        session.run("python", "-m", "tests.versions.outputs", str(results), env=SITE)
        tests = ("tests/module", "tests/watch", "src", *options)
        junit = f"--junitxml={results.with_suffix('.xml')}"
        session.run("pytest", "-n", "auto", junit, *tests, success_codes=[0, 1])
    files = map(str, sorted(found.glob("*.json")))
    session.run("python", "-m", "tests.versions", *files, env=SITE)


@nox.session(default=False)
def faults(session: nox.Session) -> None:
    """Plant faults in a copy of the project, and check that a test catches each."""
    install(session, "tests")
    if "--list" not in session.posargs:
        site(session, "build")
    session.run("python", "-m", "tests.faults", *session.posargs, env=SITE)


@nox.session(default=False)
def nightly(session: nox.Session) -> None:
    """Test the module on thousands of random networks in place of hundreds."""
    install(session, "tests")
    profile = {"HYPOTHESIS_PROFILE": "nightly"}
    session.run("pytest", "tests/module", "tests/watch/test_fuzz.py", env=profile)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types, markup and workflows; change nothing."""
    install(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    markup = ["examples", "docs/index.md", "docs/start", "docs/guide", "docs/reference"]
    markup += ["docs/about.md", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
    chinese = map(str, Path("docs/locale").glob("*/LC_MESSAGES/examples"))
    session.run("sphinx-lint", *markup, *chinese)
    workflows = sorted(map(str, Path(".github/workflows").glob("*.yml")))
    schema = ("--builtin-schema", "vendor.github-workflows")
    session.run("check-jsonschema", *schema, *workflows)
    session.run("zizmor", "--offline", "--no-progress", ".github")


@nox.session(default=False)
def format(session: nox.Session) -> None:  # noqa: A001 (the name of the session)
    """Correct what ruff can correct by itself."""
    install(session, "lint")
    session.run("ruff", "check", "--fix")
    session.run("ruff", "format")


@nox.session(default=False)
def linkcheck(session: nox.Session) -> None:
    """Check that every external address on the site answers."""
    install(session, "docs")
    site(session, "linkcheck")


@nox.session(default=False)
def reproducible(session: nox.Session) -> None:
    """Build the site twice from nothing, and compare every byte."""
    install(session, "docs")
    session.run("python", "-m", "tools.reproducible", env=SITE)


@nox.session(default=False)
def audit(session: nox.Session) -> None:
    """Check the pinned packages for known vulnerabilities."""
    install(session, "audit")
    session.run("pip-audit", "--no-deps", "--disable-pip", "-r", str(CONSTRAINTS))


@nox.session(default=False)
def times(session: nox.Session) -> None:
    """Measure the build: clean, unchanged, one script edited, English alone."""
    install(session, "docs")
    session.run("python", "-m", "tools.build_times", env=SITE)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure the module against bare PyTorch, and write the table of the docs."""
    install(session, "bench")
    table = "--write-table=docs/reference/cost.txt"  # only a full run writes it
    session.run("pytest", "tests/bench", *(session.posargs or [table]))


@nox.session(default=False)
def screenshots(session: nox.Session) -> None:
    """Take pictures of the main pages: languages, light and dark, wide and narrow."""
    install(session, "tests")
    session.run("python", "-m", "tools.screenshots", *session.posargs, env=SITE)


@nox.session(default=False)
def lighthouse(session: nox.Session) -> None:
    """Check the main pages with Lighthouse, as a phone loads them; needs npm."""
    install(session, "docs")
    session.run("python", "-m", "tools.lighthouse", *session.posargs, env=SITE)


@nox.session(default=False)
def publish(session: nox.Session) -> None:
    """Push the finished site to the branch gh-pages, which is published."""
    install(session, "publish")
    remote = os.environ.get("PUBLISH_TO", "origin")  # its address may hold a token
    session.run(
        *("ghp-import", "--no-history", "--force", "--push", "--no-jekyll"),
        *("--remote", remote, "--branch", "gh-pages", "docs/_build/html"),
        silent=True,
    )


@nox.session(default=False)
def package(session: nox.Session) -> None:
    """Build the wheel and the source archive, and check their metadata."""
    install(session, "package")
    session.run("python", "-m", "build")
    session.run("twine", "check", "--strict", *map(str, Path("dist").glob("*")))


@nox.session(default=False)
def lock(session: nox.Session) -> None:
    """Update constraints.txt: the newest versions of all packages that fit together."""
    session.install("pip-tools")
    groups = nox.project.dependency_groups(PYPROJECT, *PYPROJECT["dependency-groups"])
    requirements = Path(session.create_tmp(), "every-group.in")
    requirements.write_text("\n".join(sorted(set(groups))))
    session.run(
        *("pip-compile", "--quiet", "--upgrade", "--strip-extras", "--no-header"),
        *("--allow-unsafe", "--no-emit-index-url", "--no-emit-find-links"),
        *("--annotation-style=line", "-o", "constraints.txt", str(requirements)),
    )
    text = CONSTRAINTS.read_text("utf-8")
    text = text.replace(f"-r {requirements}", "pyproject.toml")
    # A version like 2.13.0+cpu would exclude the builds of PyTorch for other devices.
    CONSTRAINTS.write_text(re.sub(r"(torch==[\d.]+)\+\w+", r"\1", text))
