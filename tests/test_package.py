"""The package as others install it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import hatchling.build

ROOT = Path(__file__).parents[1]


def test_the_wheel_brings_the_module_its_types_and_its_licence(tmp_path, monkeypatch):
    """What ``pip install .`` installs imports, and says what it needs."""
    monkeypatch.chdir(ROOT)
    wheel = tmp_path / hatchling.build.build_wheel(str(tmp_path))
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "installed")
    (metadata,) = (tmp_path / "installed").glob("*.dist-info/METADATA")
    written = metadata.read_text("utf-8")
    assert "gradguide/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "License-Expression: MIT" in written
    assert "Requires-Python: >=3.11" in written
    assert "Requires-Dist: torch" in written
    done = subprocess.run(
        [sys.executable, "-c", "import gradguide; print(gradguide.__file__)"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "installed")},
        text=True,
        capture_output=True,
        check=True,
    )
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)
