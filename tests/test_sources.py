"""What is asked of the sources themselves, without running or building anything."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from gradguide_site.project import CHINESE, Project
from gradguide_site.translation import catalogues

ROOT = Path(__file__).parents[1]
PROJECT = Project(ROOT)
SCRIPTS = [path.as_posix() for path in PROJECT.scripts()]
PO = sorted(PROJECT.catalogues(CHINESE).rglob("*.po"))
HOLDS_OF_ONE = (ast.Eq, ast.Is, ast.LtE, ast.GtE)
"""Comparisons that hold between anything and itself."""


def toml(path: str) -> dict[str, Any]:
    """Read a table of the repository."""
    return tomllib.loads((ROOT / path).read_text("utf-8"))


def claims(script: str) -> list[ast.stmt]:
    """Return what a script insists on: assertions, and errors that have to come."""
    tree = ast.parse((PROJECT.examples / script).read_text("utf-8"))
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
        or (isinstance(node, ast.Raise) and "AssertionError" in ast.unparse(node))
    ]


def always_true(claim: ast.expr) -> bool:
    """Whether an assertion can't fail, whatever the code before it does."""
    match claim:
        case ast.Constant(value=value):
            found = bool(value)
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            found = bool(parts)
        case ast.UnaryOp(op=ast.Not(), operand=ast.Constant(value=value)):
            found = not value
        case ast.BoolOp(op=ast.Or(), values=parts):
            found = any(map(always_true, parts))
        case ast.BoolOp(op=ast.And(), values=parts):
            found = all(map(always_true, parts))
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            same = ast.dump(left) == ast.dump(right)
            constant = isinstance(left, ast.Constant) and isinstance(
                right, ast.Constant
            )
            found = constant or (same and isinstance(operator, HOLDS_OF_ONE))
        case _:
            found = isinstance(claim, ast.JoinedStr | ast.Lambda | ast.GeneratorExp)
    return found


def test_no_claim_of_a_script_was_lost() -> None:
    """A page that asserts less than it did may say what is no longer true."""
    recorded = toml("tests/site/assertions.toml")
    counted = {script: len(claims(script)) for script in SCRIPTS}
    wrong = [
        f'"{script}" = {count}  # was {recorded.get(script, 0)}'
        for script, count in counted.items()
        if recorded.get(script) != count
    ]
    assert not wrong, (
        "Put back the assertions that were lost. Where a claim is new, or has gone "
        "from the page, write this into tests/site/assertions.toml:\n"
        + "\n".join(wrong)
    )
    gone = sorted(recorded.keys() - counted.keys())
    assert not gone, f"take these out of tests/site/assertions.toml: {gone}"


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_assertion_can_fail(script: str) -> None:
    """``assert x == x`` proves nothing."""
    found = [node for node in claims(script) if isinstance(node, ast.Assert)]
    empty = [ast.unparse(node) for node in found if always_true(node.test)]
    assert not empty, f"{script} has assertions that are always true: {empty}"


@pytest.mark.parametrize(
    ("claim", "is_empty"),
    [
        ("True", True),
        ("1", True),
        ("'a sentence'", True),
        ("(x is None, 'message')", True),
        ("x == x", True),
        ("x.grad is x.grad", True),
        ("2 > 1", True),
        ("not False", True),
        ("x or True", True),
        ("x is None or y == y", True),
        ("x", False),
        ("x != x", False),
        ("x == y", False),
        ("x and True", False),
        ("()", False),
        ("not x", False),
    ],
)
def test_an_empty_assertion_is_told_from_a_real_one(claim: str, is_empty: bool) -> None:
    """The test above depends on it."""
    assert always_true(ast.parse(claim, mode="eval").body) == is_empty


@pytest.mark.parametrize("path", PO, ids=lambda path: path.stem)
def test_a_term_has_one_translation(path: Path) -> None:
    """It is the one in ``glossary.toml``."""
    wrong = {
        other: right
        for right, others in toml("tests/glossary.toml").items()
        for other in others
    }
    found = [
        f"{other} is written {right}, in: {message.string}"
        for message in catalogues.read(path, CHINESE)
        for other, right in wrong.items()
        if message.id and other in message.string
    ]
    assert not found, "\n".join([f"{path.relative_to(ROOT)}:", *found])


def test_every_public_name_is_in_the_reference() -> None:
    """With its docstring, by ``autofunction`` or ``autoclass``."""
    tree = ast.parse((ROOT / "src/gradguide/__init__.py").read_text("utf-8"))
    (names,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    reference = (ROOT / "docs/reference/api.md").read_text("utf-8")
    documented = re.findall(r"^\.\. auto\w+:: (\w+)", reference, re.MULTILINE)
    missing = set(names) - set(documented)
    assert not missing, f"docs/reference/api.md lacks {sorted(missing)}"


def normalised(name: str) -> str:
    """Return the name of a package as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(package: str) -> set[str]:
    """Return the packages that an installed one needs here, without its extras."""
    try:
        needed = map(Requirement, metadata.requires(package) or ())
    except metadata.PackageNotFoundError:
        return set()  # a group of another session
    return {
        it.name for it in needed if not it.marker or it.marker.evaluate({"extra": ""})
    }


def test_every_package_has_an_exact_version() -> None:
    """Those that a dependency group names, and those that they have brought along."""
    pinned = {
        normalised(line.partition("==")[0])
        for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
        if re.match(r"[\w.-]+==[\d.]+\S*", line)
    }
    groups = toml("pyproject.toml")["dependency-groups"].values()
    named = {
        normalised(re.match(r"[\w.-]+", package)[0])
        for group in groups
        for package in group
        if isinstance(package, str)
    }
    brought = set(named)
    while more := {normalised(r) for n in brought for r in requirements(n)} - brought:
        brought |= more
    unpinned = brought - pinned
    assert not unpinned, f"constraints.txt has no exact version of {sorted(unpinned)}"


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / ".github/workflows").glob("*.yml")),
    ids=lambda path: path.stem,
)
def test_every_action_is_pinned_to_a_commit(path: Path) -> None:
    """A tag can be moved to other code; a commit can't."""
    used = re.findall(r"uses:\s*(\S+)", path.read_text("utf-8"))
    loose = [action for action in used if not re.search(r"@[0-9a-f]{40}$", action)]
    assert not loose, f"{path.name} uses {loose}: name the commit"
