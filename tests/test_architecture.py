"""The code is built as CONTRIBUTING.md draws it, and imports go in one direction."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SITE = ROOT / "docs/gradguide_site"
PACKAGES = [SITE, ROOT / "src/gradguide"]
GROUND = {"project", "chinese"}
"""Modules of the site that belong to no folder; every folder may import them."""


def module(path):
    """Return the dotted name of a module, by its file."""
    name = path.relative_to(
        next(p.parent for p in PACKAGES if path.is_relative_to(p))
    ).with_suffix("")
    return ".".join(part for part in name.parts if part != "__init__")


def imports(package):
    """Return the modules of a package that each of its modules imports."""
    modules = {module(path): path for path in package.rglob("*.py")}
    graph = {}
    for name, path in modules.items():
        targets = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                targets |= inner & modules.keys() or {node.module} & modules.keys()
        graph[name] = targets - {name, package.name}
    return graph


def drawn():
    """Return the folders in the picture of CONTRIBUTING.md, each with its modules."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    boxes = re.findall(r'^ +(\w+)\["`\*\*\1\*\*\s([^`]*)`"\]', text, re.MULTILINE)
    return {name: re.findall(r"\w+", modules) for name, modules in boxes}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_no_modules_import_each_other_in_a_circle(package):
    """A module can be read without those that are built on it."""
    graph = imports(package)
    assert any(graph.values())
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_the_picture_shows_every_folder_with_its_modules():
    """A module that is added, moved or renamed has to be drawn."""
    found = {
        folder.name: sorted(path.stem for path in folder.glob("[!_]*.py"))
        for folder in SITE.iterdir()
        if list(folder.glob("*.py"))
    }
    assert {name: sorted(modules) for name, modules in drawn().items()} == found


def test_folders_import_only_those_that_are_drawn_before_them():
    """Data flows through the picture in one direction."""
    order = [*GROUND, *drawn(), "__main__"]
    for name, targets in imports(SITE).items():
        for target in targets:
            here, there = (full.split(".")[1] for full in (name, target))
            assert order.index(there) <= order.index(here) or here in GROUND, (
                f"{name} imports {target}"
            )


def test_no_two_modules_of_the_site_have_one_name():
    """Nor does one have the name of a package that the site uses."""
    stems = [path.stem for path in SITE.rglob("[!_]*.py")]
    used = {
        name.partition(".")[0]
        for path in SITE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert len(set(stems)) == len(stems)
    assert not set(stems) & used
