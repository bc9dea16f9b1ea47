"""What is asked of the sources themselves, without running or building anything."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from conftest import docstrings, pages
from packaging.requirements import Requirement

from gradguide_site.chinese import CHARACTER, PUNCTUATION
from gradguide_site.project import CHINESE, Project
from gradguide_site.translation import catalogues
from tests.faults.__main__ import FAULTS
from tests.faults.fault import Replace

ROOT = Path(__file__).parents[1]
PROJECT = Project(ROOT)
SCRIPTS = [path.as_posix() for path in PROJECT.scripts()]
PO = sorted(PROJECT.catalogues(CHINESE).rglob("*.po"))
FULL = CHARACTER + PUNCTUATION
CUT_OBJECT = "(?:梯度|计算图|路径|计算历史)"
CUT = re.compile(f"{CUT_OBJECT}.*切断|切断(?!处|时|的地方|之[后前]).*{CUT_OBJECT}")
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
        f"{other[0]} is written {right}, in: {message.string}"
        for message in catalogues.read(path, CHINESE)
        for pattern, right in wrong.items()
        if message.id and (other := re.search(pattern, message.string))
    ]
    assert not found, "\n".join([f"{path.relative_to(ROOT)}:", *found])


def cuts_nothing(chinese: str) -> list[str]:
    """Return the clauses that say 切断 without what is cut: gradient, graph or path.

    It is cut behind the verb (切断梯度), or stands before it (计算图被切断). A place
    such as 切断处 has no room for it behind the verb. A term of the glossary, which is
    the verb alone, is no clause.
    """
    return [
        clause
        for clause in re.split(r"[，。；：！？（）…\n]", chinese)
        if "切断" in clause
        and not CUT.search(clause)
        and not re.fullmatch(r"\W*切断\W*(cut\W*)?", clause)
    ]


def odd_marks(chinese: str) -> list[str]:
    """Return quotes and percent signs that are not written as everywhere else.

    Quotes are “ ” in pairs. A percent sign follows its number without a space.
    """
    prose = catalogues.MARKUP.sub("X", chinese)
    odd = re.findall(r"[「」『』〝〞＂‘％‰]|百分之|\s%(?![(s])", prose)
    odd += re.findall(rf"[{FULL}][\"'][^\"']*[\"']|[\"'][^\"']*[\"'][{FULL}]", prose)
    if re.sub("[^“”]", "", prose).replace("“”", ""):
        odd.append("“ without ”")
    return odd


@pytest.mark.parametrize("path", PO, ids=lambda path: path.stem)
def test_the_chinese_says_what_is_cut_and_has_one_kind_of_marks(path: Path) -> None:
    """Readers of one sentence, or of one cell of a table, must understand it."""
    found = [
        f"{fault}, in: {message.string}"
        for message in catalogues.read(path, CHINESE)
        if message.id
        for fault in cuts_nothing(message.string) + odd_marks(message.string)
    ]
    assert not found, "\n".join([f"{path.relative_to(ROOT)}:", *found])


@pytest.mark.parametrize(
    ("chinese", "faults"),
    [
        ("这里切断梯度", 0),
        ("计算图在这里被切断", 0),
        ("``detach()`` 切断的是之前的计算历史", 0),
        ("从 ``y`` 到 ``x`` 的路径都被切断了，梯度传不过去", 0),
        ("计算图被切断的地方", 0),
        ("切断 cut", 0),
        ("这里被切断", 1),
        ("计算图是完整的，这里却被切断", 1),
        ("绕过切断处的路径", 1),
        ("``detach()`` 切断的地方，梯度停住", 1),
        ("切断了，又切断了", 2),
        ("写成“冻结”", 0),
        ('传入 ``"layer1"``', 0),
        ("Can't call numpy() on Tensor", 0),
        ("大约 59% 的时间，PyTorch %(version)s", 0),
        ('写成"冻结"', 1),
        ("写成「冻结」", 2),
        ("写成“冻结", 1),
        ("大约 59 % 的时间", 1),
        ("大约百分之五十九", 1),
        ("大约 59％", 1),
    ],
)
def test_faults_of_the_chinese_are_found(chinese: str, faults: int) -> None:
    """The test above depends on it."""
    assert len(cuts_nothing(chinese) + odd_marks(chinese)) == faults


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


def test_every_prompt_is_one_of_a_doctest():
    """The patterns of conftest.py reach all folders that have examples."""
    sources = [*ROOT.glob("src/**/*.py"), *ROOT.glob("docs/**/*.md")]
    files = [ROOT / "README.md", *sources]
    shown = [
        file
        for file in files
        if "_build" not in file.parts and ">>> " in file.read_text("utf-8")
    ]
    assert len(shown) > 10
    for file in shown:
        assert any(one.should_parse(file) for one in (docstrings, pages)), file


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_fits_the_sources(fault):
    """What a fault replaces is there: a fault that can't be planted proves nothing."""
    for edit in fault.edits:
        file = PROJECT.root / edit.path
        if isinstance(edit, Replace) and file.is_file():
            assert edit.old in file.read_text("utf-8"), edit.path
