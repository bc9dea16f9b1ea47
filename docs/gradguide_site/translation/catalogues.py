"""Read, merge, check and write catalogues: the ``.po`` files of the translations."""

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
"""Inline markup, which must be the same in every language."""

LABEL = re.compile(r"(?<=[`\[])[^`<\[]*(?=<[^<>]+>`)")
"""The words of a link ``words <target>``, which are translated."""

STRING_START = re.compile(rb'\s*(?:msg\w+\s*(?:\[\d+\])?\s*)?"')
COMPLETE_STRING = re.compile(STRING_START.pattern + rb'(?:[^"\\]|\\.)*"\s*$')


@dataclass(frozen=True)
class Problem:
    """A message whose translation can't be used, and why."""

    path: Path
    message: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}: {self.message[:70]!r}"


def read(path: Path, language: Language) -> Catalog:
    """Read a catalogue; return an empty one if there is no such file.

    Raises:
        PipelineError: The file is malformed.
    """
    if not path.exists():
        return Catalog(locale=language.code)
    return parse(path, path.read_bytes(), language)


def parse(path: Path, content: bytes, language: Language) -> Catalog:
    """Return the catalogue that a file holds; ``path`` is its name in errors.

    Raises:
        PipelineError: The content is malformed.
    """
    for number, line in enumerate(content.split(b"\n"), 1):
        # Babel silently drops the end of a string that has no closing quote.
        if STRING_START.match(line) and not COMPLETE_STRING.match(line):
            raise PipelineError(
                f"{path}, line {number}: a string has no end: {line.decode()!r}. "
                "Correct the catalogue."
            )
    try:
        file = BytesIO(content)
        return pofile.read_po(file, locale=language.code, abort_invalid=True)
    except pofile.PoFileError as error:
        raise PipelineError(
            f"{path}, line {error.lineno + 1}: {error}: {error.line.strip()!r}. "
            "Correct the catalogue."
        ) from None
    except (UnicodeDecodeError, ValueError) as error:
        raise PipelineError(f"{path}: {error}. Correct the catalogue.") from None


def merge(old: Catalog, messages: Iterable[str]) -> Catalog:
    """Return a catalogue of exactly these messages, in this order.

    Existing translations are kept. A new message that resembles a removed one gets
    its translation, marked as fuzzy.
    """
    template = Catalog()
    for id_ in messages:
        template.add(id_)
    updated = Catalog(locale=old.locale, fuzzy=False)
    for message in old:
        if message.id:
            updated.add(message.id, message.string, flags=message.flags)
    updated.update(template, update_header_comment=False)
    ordered = Catalog(locale=old.locale, fuzzy=False)
    for message in template:
        if message.id:
            entry = updated[message.id]
            ordered.add(entry.id, entry.string, flags=entry.flags)
    return ordered


def text(catalog: Catalog, language: Language) -> bytes:
    """Return a catalogue as a ``.po`` file, without dates."""
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


def problems(path: Path, catalog: Catalog, messages: Sequence[str]) -> list[Problem]:
    """Return a problem for each of these messages that has no usable translation."""
    return [
        Problem(path, id_, reason)
        for id_ in dict.fromkeys(messages)
        if (reason := _reason(catalog.get(id_)))
    ]


def gettext(catalog: Catalog, message: str) -> str:
    """Return the translation of a message, or the message if it has no usable one."""
    entry = catalog.get(message)
    return message if entry is None or _reason(entry) else str(entry.string)


def _reason(message: Message | None) -> str | None:
    """Return why a translation can't be used, or None if it can."""
    if message is None:
        return "not in the catalogue"
    if not message.string:
        return "not translated"
    if message.fuzzy:
        return "fuzzy: check it and remove the mark"
    english, translated = _markup(str(message.id)), _markup(str(message.string))
    differences = [
        f"{verb} {' '.join(sorted(markup))}"
        for verb, markup in (
            ("lost", english - translated),
            ("added", translated - english),
        )
        if markup
    ]
    if differences:
        return f"markup differs from the English ({', '.join(differences)})"
    return None


def _markup(message: str) -> set[str]:
    return {LABEL.sub("", markup) for markup in MARKUP.findall(message)}
