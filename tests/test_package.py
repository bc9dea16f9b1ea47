"""The package as others install it."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import hatchling.build
import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
OFFLINE = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")} | {
    "PIP_CONFIG_FILE": os.devnull,  # it may name a folder of wheels, or limit a version
    "PIP_NO_INDEX": "1",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Return what ``pip install .`` builds."""
    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return folder / hatchling.build.build_wheel(str(folder))


def test_the_wheel_brings_the_module_its_types_and_its_licence(wheel, tmp_path):
    """What ``pip install .`` installs imports, and says what it needs."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "installed")
    (metadata,) = (tmp_path / "installed").glob("*.dist-info/METADATA")
    written = metadata.read_text("utf-8")
    assert "gradguide/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "License-Expression: MIT" in written
    assert "Requires-Python: >=3.11" in written
    done = subprocess.run(
        [sys.executable, "-c", "import gradguide; print(gradguide.__file__)"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "installed")},
        text=True,
        capture_output=True,
        check=True,
    )
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)


def test_the_wheel_sets_no_upper_limit(wheel):
    """A limit would replace a newer PyTorch, or forbid to install the module."""
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (it for it in archive.namelist() if it.endswith("/METADATA"))
        metadata = Metadata.from_email(archive.read(path))
    needed = [it for it in metadata.requires_dist if not it.marker]
    assert needed == [Requirement("torch>=2.10")]
    assert str(metadata.requires_python) == ">=3.11"


@pytest.fixture
def install(wheel, tmp_path):
    """Return a function that asks pip what it would install beside a PyTorch.

    The environment holds nothing but the metadata of that PyTorch, all that pip reads.
    """
    venv.create(tmp_path / "user")
    (packages,) = (tmp_path / "user").rglob("site-packages")

    def dry_run(version):
        torch = packages / f"torch-{version}.dist-info"
        torch.mkdir()
        (torch / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n"
        )
        command = f"install --dry-run --quiet --report - {wheel}".split()
        return subprocess.run(
            [sys.executable, "-m", "pip", "--python", tmp_path / "user", *command],
            env=OFFLINE,
            text=True,
            capture_output=True,
            check=False,
        )

    return dry_run


@pytest.mark.parametrize(
    "version",
    [
        "2.10.0",
        "2.11.0+cu128",
        "2.13.0+cpu",
        "2.14.0a0+5f1e2c3.nv26.8",  # built from source, as in images of a vendor
        "2.15.0",
        "2.16.0.dev20261120+cpu",
        "3.1.0",
    ],
)
def test_an_installed_pytorch_stays(install, version):
    """From 2.10 on, pip installs the module alone beside it."""
    done = install(version)
    assert not done.returncode, done.stderr
    names = [it["metadata"]["name"] for it in json.loads(done.stdout)["install"]]
    assert names == ["gradguide"]


def test_an_older_pytorch_does_not_do(install):
    """So pip looks for another, and here finds none; the test above can fail."""
    assert "No matching distribution found for torch>=2.10" in install("2.9.1").stderr
