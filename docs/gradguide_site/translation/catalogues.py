"""Read, merge and judge the catalogues: the ``.po`` files that hold the Chinese."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from babel.messages import Catalog, Message, pofile

from gradguide_site.project import Language, PipelineError

MARKUP = re.compile(
    r"``.+?``|:[\w-]+:`[^`]+`|\{[\w:-]+\}`[^`]+`|`[^`<]*<[^`>]+>`_{1,2}|(?<!`)`[^`]+`(?!`)"
    r"|\]\([^)]+\)|%\(\w+\)s"
)
"""Inline markup whose content is the same in every language."""

LABEL = re.compile(r"(?<=[`\[])[^`<\[]*(?=<[^<>]+>`)")
"""The words of a link, which are translated: ``words <target>``."""


QUOTED = re.compile(rb'\s*(?:msg\w+\s*(?:\[\d+\])?\s*)?"')
COMPLETE = re.compile(QUOTED.pattern + rb'(?:[^"\\]|\\.)*"\s*$')


@dataclass(frozen=True)
class Problem:
    """A message that is not ready, and why."""

    path: Path
    message: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}: {self.message[:70]!r}"


def read(path: Path, language: Language) -> Catalog:
    """Read a catalogue; one that isn't there is empty.

    Raises:
        PipelineError: The file is malformed.
    """
    if not path.exists():
        return Catalog(locale=language.code)
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if QUOTED.match(line) and not COMPLETE.match(line):  # Babel would cut it short
            raise PipelineError(
                f"{path}, line {number}: a string has no end: {line.decode()!r}. "
                "Correct the catalogue."
            )
    try:
        with path.open("rb") as file:
            return pofile.read_po(file, locale=language.code, abort_invalid=True)
    except pofile.PoFileError as error:
        where = f"{path}, line {error.lineno + 1}"
        raise PipelineError(
            f"{where}: {error}: {error.line.strip()!r}. Correct the catalogue."
        ) from None
    except (UnicodeDecodeError, ValueError) as error:
        raise PipelineError(f"{path}: {error}. Correct the catalogue.") from None


def merge(old: Catalog, messages: Iterable[str]) -> Catalog:
    """Return a catalogue of exactly these messages, in this order.

    What was translated stays; a message that resembles one that has gone gets its
    translation, marked fuzzy for a person to look at.
    """
    template = Catalog()
    for id_ in messages:
        template.add(id_)
    new = Catalog(locale=old.locale, fuzzy=False)
    for message in old:
        if message.id:
            new.add(message.id, message.string, flags=message.flags)
    new.update(template, update_header_comment=False)
    ordered = Catalog(locale=old.locale, fuzzy=False)
    for message in template:
        if message.id:
            kept = new[message.id]
            ordered.add(kept.id, kept.string, flags=kept.flags)
    return ordered


def text(catalog: Catalog, language: Language) -> bytes:
    """Return a catalogue as it is written to a file: the same whenever it is made."""
    buffer = BytesIO()
    pofile.write_po(buffer, catalog, width=88, omit_header=True)
    header = (
        'msgid ""\nmsgstr ""\n'
        f'"Language: {language.code}\\n"\n'
        '"MIME-Version: 1.0\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n'
        '"Content-Transfer-Encoding: 8bit\\n"\n'
    )
    return header.encode() + b"\n" + buffer.getvalue().rstrip() + b"\n"


def problems(path: Path, catalog: Catalog, wanted: Sequence[str]) -> list[Problem]:
    """Return what keeps a catalogue from translating the wanted messages."""
    found = []
    for id_ in dict.fromkeys(wanted):
        message = catalog.get(id_)
        if reason := _reason(message):
            found.append(Problem(path, id_, reason))
    return found


def gettext(catalog: Catalog, message: str) -> str:
    """Return a translation, or the message if there is none to be used."""
    found = catalog.get(message)
    return message if found is None or _reason(found) else str(found.string)


def _reason(message: Message | None) -> str | None:
    """Say why a message can't be used, if it can't."""
    if message is None:
        return "not in the catalogue"
    if not message.string:
        return "not translated"
    if message.fuzzy:
        return "fuzzy: check it and remove the mark"
    lost, added = _difference(str(message.id), str(message.string))
    if lost or added:
        parts = [f"lost {' '.join(lost)}"] * bool(lost)
        parts += [f"added {' '.join(added)}"] * bool(added)
        return f"markup differs from the English ({', '.join(parts)})"
    return None


def _difference(english: str, translated: str) -> tuple[list[str], list[str]]:
    before, after = _markup(english), _markup(translated)
    return (
        sorted(set(before) - set(after)),
        sorted(set(after) - set(before)),
    )


def _markup(message: str) -> list[str]:
    return [LABEL.sub("", found) for found in MARKUP.findall(message)]
