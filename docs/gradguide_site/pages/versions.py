"""Show what was recorded on other versions of PyTorch.

The role ``since`` marks a claim that older versions don't fulfil. Sphinx warns if the
record says otherwise. The directive ``versions`` shows the whole record as a table.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from gradguide_site.project import script_of
from gradguide_site.running.record import contradicts, counts, record, results

logger = logging.getLogger(__name__)


class SinceRole(SphinxRole):
    """Say since which version a claim is true, and compare this with the record."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        version = self.text
        script = script_of(self.env.docname)
        if script and contradicts(results(script), version):
            logger.warning(
                "the record says something else than that %s is as described since %s",
                *(script, version),
                location=self.get_location(),
                type="versions",
            )
        return [nodes.inline("", since(version), classes=["since"])], []


def since(version: str) -> str:
    """Say that something is true on a version and on newer ones."""
    return _("PyTorch %(version)s and newer") % {"version": version}


class VersionsDirective(SphinxDirective):
    """Show for each version what was run, when, and with which results."""

    def run(self) -> list[nodes.Node]:
        head = ["PyTorch", _("Scripts"), _("Tests of the module"), _("Date")]
        rows = [head]
        for version, known in record().items():
            tests = known.get("tests")
            rows.append(
                [
                    version,
                    _("%(same)d the same, %(other)d other output, %(failed)d fail")
                    % counts(known),
                    _("%(passed)d pass, %(failed)d fail") % tests
                    if tests
                    else _("not run"),
                    known["date"],
                ]
            )
        return [_table(rows)]


def _table(rows: list[list[str]]) -> nodes.table:
    group = nodes.tgroup("", *(nodes.colspec() for _cell in rows[0]), cols=len(rows[0]))
    parts = [nodes.thead(), nodes.tbody()]
    for number, row in enumerate(rows):
        entries = [nodes.entry("", nodes.paragraph("", cell)) for cell in row]
        parts[min(number, 1)] += nodes.row("", *entries)
    group += parts
    return nodes.table("", group)


def setup(app: Sphinx) -> None:
    app.add_role("since", SinceRole())
    app.add_directive("versions", VersionsDirective)
