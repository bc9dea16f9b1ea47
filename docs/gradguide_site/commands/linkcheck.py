"""Check that every external address on the site answers."""

from __future__ import annotations

import json

from gradguide_site.project import ENGLISH, PipelineError, Project
from gradguide_site.running.sphinx_builds import Build, Job, run
from gradguide_site.running.stage import stage


def check_links(project: Project) -> None:
    """Check the addresses of the English pages; other languages have the same.

    Raises:
        PipelineError: An address doesn't answer; the text lists each, with its page.
    """
    source, output = project.staged(ENGLISH), project.built / "linkcheck"
    stage(project, ENGLISH, source)
    job = Job(project, ENGLISH, source, [Build("linkcheck", output, {})])
    run([job], strict=False)  # broken addresses are reported below
    report = (output / "output.json").read_text("utf-8")
    answers = list(map(json.loads, report.splitlines()))
    broken = [answer for answer in answers if answer["status"] in {"broken", "timeout"}]
    if broken:
        lines = (f"{a['filename']}: {a['uri']}: {a['info']}" for a in broken)
        raise PipelineError("\n".join([*lines, f"{len(broken)} addresses are broken."]))
    print(f"{len(answers)} addresses answer.")
