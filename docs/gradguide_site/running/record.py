"""Read what was recorded on other versions of PyTorch.

``docs/versions.json`` has, for each version, which scripts hold and print the same, and
the words of each message; ``nox -s versions`` writes it. A script that has changed
since then counts as not run.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sphinx.locale import _

from gradguide_site.project import SCRIPTS

ROOT = Path(__file__).parents[3]
RECORD = ROOT / "docs/versions.json"


@dataclass(frozen=True)
class Results:
    """What the recorded versions did with a script, the oldest version first.

    Attributes:
        held: The versions on which its assertions hold.
        failed: Those on which it fails.
        differs: Those on which it holds and prints something else.
    """

    held: list[str]
    failed: list[str]
    differs: list[str]


@cache
def record() -> dict[str, Any]:
    """Return what was recorded for each version."""
    found: dict[str, Any] = json.loads(RECORD.read_text("utf-8"))
    return found


@cache
def results(script: str) -> Results:
    """Return the results of a script, such as ``graph/leaf_or_not``."""
    found = Results([], [], [])
    path = ROOT / SCRIPTS / f"{script}.py"
    if not path.exists():  # a guide of other scripts
        return found
    code = digest(path)
    for version, known in record().items():
        result = known["scripts"].get(script, {})
        if result.get("code") != code:
            continue
        (found.failed if "failed" in result else found.held).append(version)
        if "diff" in result:
            found.differs.append(version)
    return found


def counts(known: dict[str, Any]) -> dict[str, int]:
    """Return how many scripts print the same on a version, something else, or fail."""
    scripts = known["scripts"].values()
    failed = sum("failed" in script for script in scripts)
    other = sum("diff" in script for script in scripts)
    return {"same": len(scripts) - failed - other, "other": other, "failed": failed}


def contradicts(found: Results, since: str) -> bool:
    """Whether the record says something else than that a script holds since a version.

    It says so if the script holds from this version on, and fails or prints something
    else on the one before. Without results nothing is known.
    """
    if not found.held and not found.failed:
        return False
    before = [version for version in record() if order(version) < order(since)]
    has_changed = {*before[-1:]} <= {*found.failed, *found.differs}
    return not has_changed or not {*found.failed} <= {*before}


def order(version: str) -> list[int]:
    """Return by what versions are sorted."""
    return [int(part) for part in re.findall(r"\d+", version)]


def spans(versions: list[str]) -> str:
    """Write versions as ranges, without gaps in what was recorded."""
    places = {version: place for place, version in enumerate(record())}
    groups: list[list[str]] = []
    for version in versions:
        if groups and places[groups[-1][-1]] + 1 == places[version]:
            groups[-1].append(version)
        else:
            groups.append([version])
    return _(", ").join(
        group[0] if len(group) == 1 else _("%s to %s") % (group[0], group[-1])
        for group in groups
    )


def other_words(text: str) -> dict[str, list[str]]:
    """Return what other versions say in the place of a message, with the versions.

    Those that give no such message say an empty text.
    """
    words: dict[str, list[str]] = {}
    for version, known in record().items():
        if text in known["texts"]:
            words.setdefault(known["texts"][text], []).append(version)
    return words


def new_messages() -> dict[str, list[str]]:
    """Return the messages that only other versions give, with the versions."""
    found: dict[str, list[str]] = {}
    for version, known in record().items():
        for text in known["new"]:
            found.setdefault(text, []).append(version)
    return found


def digest(script: Path) -> str:
    """Return a checksum of the code of a script, without its text."""
    tree = ast.parse(script.read_text("utf-8"))
    del tree.body[0]  # the docstring
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:12]
