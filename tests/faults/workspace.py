"""The folder that faults are planted in: a copy of the project, and a tiny guide."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gradguide_site.project import PipelineError
from tests.faults.checks import GUIDE, TINY, Check
from tests.faults.fault import Edit, PlantError
from tests.pipeline.conftest import write

ROOT = Path(__file__).parents[2]
FINISHED = ("docs/_build/html", "docs/_build/candidate")
"""What a build has made, and checks look at."""

LEFT_BY_CHECKS = {"__pycache__", ".hypothesis", "_build"}


@dataclass(frozen=True)
class Outcome:
    """How a check ended.

    Attributes:
        code: Its exit code; None if it was stopped.
        said: All that it has printed.
        seconds: How long it took.
    """

    code: int | None
    said: str
    seconds: float


class Workspace:
    """Both places, and how a check is run in them."""

    def __init__(self, folder: Path, places: Iterable[str]) -> None:
        self.folder = folder
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        if GUIDE in places:
            copy_project(folder / GUIDE)
        if TINY in places:
            tiny = write(folder / TINY)
            try:
                tiny.fill_in()
                tiny.build()
            except PipelineError as error:
                raise PlantError(f"the tiny guide isn't built:\n{error}") from None
        self.before = {place: contents(folder / place) for place in places}

    def run(self, check: Check) -> Outcome:
        """Run a check, and stop it with all that it has started when its time is up."""
        root = self.folder / check.place
        code = ROOT if check.place == TINY else root  # the tiny guide has no code
        settings = {
            "PYTHONPATH": os.pathsep.join([str(code / "docs"), str(code / "src")]),
            "PYTHONUTF8": "1",
            "TMPDIR": str(self.temporary),  # else all that is here would be temporary
            "PYTHONDONTWRITEBYTECODE": "1",  # an edit may leave size and time alike
            **check.variables,
        }
        begun = time.monotonic()
        process = subprocess.Popen(
            check.command,
            cwd=root,
            env=os.environ | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=check.seconds)
            code = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
            code = None
        return Outcome(code, said, time.monotonic() - begun)

    @contextmanager
    def planted(self, place: str, edits: Iterable[Edit]) -> Iterator[None]:
        """Make some edits for a while, and see that nothing is left of them."""
        root = self.folder / place
        kept: list[tuple[Path, Path | None]] = []
        try:
            for number, edit in enumerate(edits):
                file = find(root, edit.path)
                spare = self.folder / f"spare {number}" if file.exists() else None
                if spare:
                    shutil.copy2(file, spare)
                kept.append((file, spare))
                edit(file)
            yield
        finally:
            for file, spare in reversed(kept):
                if spare:
                    shutil.copy2(spare, file)
                else:
                    file.unlink(missing_ok=True)
        now, before = contents(root), self.before[place]
        changed = [path for path in now | before if now.get(path) != before.get(path)]
        if changed:
            raise PlantError(f"the check has left changes in {', '.join(changed)}")


def copy_project(target: Path) -> None:
    """Copy what git knows or would take up, and the finished site."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    for path in filter(None, listed.decode().split("\0")):
        if (ROOT / path).exists():  # git lists what was removed until it is told
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, target / path)
    for path in FINISHED:
        if not (ROOT / path).exists():
            raise PlantError(f"there is no {path}: run `nox -s docs` first")
        shutil.copytree(ROOT / path, target / path)


def contents(root: Path) -> dict[str, str]:
    """Return a digest of every file but those that checks leave behind."""
    roots = [root, *(root / path for path in FINISHED if root.name == GUIDE)]
    found = {}
    for top in roots:
        for folder, inside, files in os.walk(top):
            inside[:] = [name for name in inside if name not in LEFT_BY_CHECKS]
            for path in (Path(folder, name) for name in files):
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                found[path.relative_to(root).as_posix()] = digest
    return found


def find(root: Path, pattern: str) -> Path:
    """Return the first file that a pattern matches, or where a new one goes."""
    return min(root.glob(pattern), default=root / pattern)
