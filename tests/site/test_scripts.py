"""A downloaded script runs as it is, and prints what its page shows."""

import subprocess
import sys

import pytest

from .downloads import SCRIPTS, download, environment, normalised, unordered


@pytest.mark.parametrize(("language", "script"), SCRIPTS)
def test_a_script_prints_what_its_page_shows(language, script, page_of, site, tmp_path):
    """In a process of its own, without the module and without the site's settings."""
    page, source = download(page_of, site, language, script, ".py")
    copy = tmp_path / source.name
    copy.write_bytes(source.read_bytes())
    done = subprocess.run(
        [sys.executable, copy.name],
        cwd=tmp_path,
        env=environment(script),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout
    shown = "\n".join(output.strip("\n") for output in page.outputs)
    assert unordered(normalised(done.stdout)) == unordered(normalised(shown))
