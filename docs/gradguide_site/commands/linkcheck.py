"""Ask every outside address on the site whether it still answers."""

from __future__ import annotations

import json

from gradguide_site.project import ENGLISH, PipelineError, Project
from gradguide_site.running.sphinx_builds import Build, Job, run
from gradguide_site.running.stage import stage


def check_links(project: Project) -> None:
    """Ask once, in English: the addresses are the same in every language.

    Raises:
        PipelineError: With each address that doesn't answer, and its page.
    """
    source, output = project.staged(ENGLISH), project.built / "linkcheck"
    stage(project, ENGLISH, source)
    job = Job(project, ENGLISH, source, [Build("linkcheck", output, {})])
    run([job], strict=False)  # what is broken is told below
    answers = [json.loads(line) for line in (output / "output.json").open()]
    broken = [answer for answer in answers if answer["status"] in {"broken", "timeout"}]
    if broken:
        lines = (f"{a['filename']}: {a['uri']}: {a['info']}" for a in broken)
        raise PipelineError("\n".join([*lines, f"{len(broken)} addresses are broken."]))
    print(f"{len(answers)} addresses answer.")
