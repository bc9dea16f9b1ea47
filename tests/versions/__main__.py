"""Compare the outputs of scripts on two versions, and record the differences.

``python -m tests.versions PINNED.json OTHER.json ...`` reads what
``tests.versions.outputs`` wrote on the version that the site is built with, and on
others. It prints what is different and updates ``docs/versions.json``, which the site
shows.
"""

from __future__ import annotations

import datetime as dt
import difflib
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from gradguide_site.errors.texts import messages
from gradguide_site.running.record import RECORD, ROOT, counts, digest, order
from tests.site.running import unordered

ALIKE = 0.6
"""How similar two texts are that are taken to be one message in other words."""


def compare(pinned: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return what is different on another version, script by script."""
    scripts, texts, new = {}, {}, []
    for name, (_, usual) in pinned["scripts"].items():
        code, printed = other["scripts"][name]
        lines, their_lines = unordered(_plain(usual)), unordered(_plain(printed))
        result: dict[str, Any] = {"code": digest(ROOT / f"examples/{name}.py")}
        scripts[name] = result
        if code:
            result["failed"] = (printed.splitlines() or [f"exit code {code}"])[-1]
            continue
        if their_lines != lines:
            result["diff"] = _diff(lines, their_lines)
        words, others = _words(usual, printed)
        texts |= words
        new += [text for text in others if text not in new]
    return {
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "python": other["python"],
        "scripts": scripts,
        "texts": texts,
        "new": new,
    }


def _plain(printed: str) -> str:
    """Leave out the line numbers of PyTorch's own files."""
    printed = re.sub(r"(\.py):\d+(: \w+Warning: )", r"\1\2", printed)
    return re.sub(r"(\.cpp|\.h):\d+(\.\))", r"\1\2", printed)


def _diff(usual: list[str], printed: list[str]) -> list[str]:
    gone, new = Counter(usual) - Counter(printed), Counter(printed) - Counter(usual)
    return [f"-{line}" for line in gone] + [f"+{line}" for line in new]


def _tests(junit: Path) -> dict[str, int] | None:
    """Return how many tests of the module passed, if they were run."""
    if not junit.exists():
        return None
    suite = ET.parse(junit).getroot()[0]
    count = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors")}
    failed = count["failures"] + count["errors"]
    passed = count["tests"] - failed - int(suite.get("skipped", 0))
    return {"passed": passed, "failed": failed}


def _words(usual: str, printed: str) -> tuple[dict[str, str], list[str]]:
    """Return the other words of each message that has some, and what is left over."""
    ours, theirs = _texts(usual), _texts(printed)
    left = {plain: text for plain, text in theirs.items() if plain not in ours}
    words = {}
    for plain, text in ours.items():
        if plain not in theirs:
            kind = plain.partition(": ")[0]
            same = [one for one in left if one.partition(": ")[0] == kind]
            bodies = {one.partition(": ")[2]: one for one in same}
            body = plain.partition(": ")[2]
            close = difflib.get_close_matches(body, bodies, n=1, cutoff=ALIKE)
            words[text] = left.pop(bodies[close[0]]) if close else ""
    return words, list(left.values())


def _texts(printed: str) -> dict[str, str]:
    """Return the messages in an output, by their texts without line numbers."""
    found = messages(printed.splitlines())
    return {_plain(message.text): message.text for message in found}


def main(pinned: str, *others: str) -> int:
    """Record other versions, and the one that the site is built with itself.

    Return 1 if a test of the module failed on one of them.
    """
    has_failed = False
    record = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
    usual = json.loads(Path(pinned).read_text("utf-8"))
    for path in (pinned, *others):
        found = json.loads(Path(path).read_text("utf-8"))
        record[found["torch"]] = result = compare(usual, found)
        result["tests"] = tests = _tests(Path(path).with_suffix(".xml"))
        has_failed = has_failed or bool(tests and tests["failed"])
        said = ", ".join(f"{number} {name}" for name, number in counts(result).items())
        print(f"PyTorch {found['torch']}: {said}")
        for name, script in result["scripts"].items():
            if "failed" in script:
                print(f"  {name}: {script['failed']}")
            for line in script.get("diff", ()):
                print(f"  {name}: {line}")
    versions = sorted(record, key=order)
    ordered = {version: record[version] for version in versions}
    text = json.dumps(ordered, indent=1, ensure_ascii=False)
    RECORD.write_text(f"{text}\n", "utf-8")
    return int(has_failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
