"""Finds the parameters and normalisation layers that match patterns."""

import re
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from fnmatch import translate
from typing import NamedTuple

from torch import nn

from gradguide._hold import learns_in_training


class Selection(NamedTuple):
    """The matches by name; tied parameters have one entry, under their first name."""

    parameters: dict[str, nn.Parameter]
    norms: dict[str, nn.Module]


def select(
    module: nn.Module, patterns: tuple[str, ...], *, caller: str, stats: bool
) -> Selection:
    """Return the matches of patterns; without patterns, everything.

    Raises:
        ValueError: If a pattern matches nothing.
        TypeError: If ``module`` or a pattern has the wrong type.
    """
    require_module(module, caller)
    _require_strings(patterns, caller)
    if not patterns:
        parameters = dict(module.named_parameters())
        layers = dict(module.named_modules()) if stats else {}
        return Selection(
            parameters, {n: m for n, m in layers.items() if learns_in_training(m)}
        )
    return _match(module, patterns, caller=caller, stats=stats)


def require_module(value: object, caller: str) -> None:
    """Raise a TypeError that says what to pass, unless it is a module."""
    if not isinstance(value, nn.Module):
        kind = type(value).__name__
        msg = f"{caller}: expected a torch.nn.Module, got {kind}; {_instead_of(value)}"
        raise TypeError(msg)


def _instead_of(value: object) -> str:
    """Say which module to pass in place of something else, which is not iterated."""
    parts: Iterable[object] = ()
    if isinstance(value, (list, tuple, set, frozenset)):
        parts = value
    elif isinstance(value, dict):
        parts = value.values()
    if any(isinstance(part, nn.Module) for part in parts):
        kind = "ModuleDict" if isinstance(value, dict) else "ModuleList"
        return f"put several modules in one: nn.{kind}(...)"
    if isinstance(value, (nn.Parameter, Iterator)) or any(
        isinstance(part, nn.Parameter) for part in parts
    ):
        return "pass the network itself, not its parameters or modules"
    return "pass the network or a part of it, such as model.backbone"


def _match(
    module: nn.Module, patterns: tuple[str, ...], *, caller: str, stats: bool
) -> Selection:
    first_name = {id(p): name for name, p in module.named_parameters()}
    matcher = _Matcher(patterns)
    parameters, owners = {}, set()
    for name, parameter in module.named_parameters(remove_duplicate=False):
        if matcher.matches(name):
            parameters[first_name[id(parameter)]] = parameter
            owners.add(name.rpartition(".")[0])
    norms: dict[str, nn.Module] = {}
    seen: set[nn.Module] = set()
    for name, layer in module.named_modules(remove_duplicate=False) if stats else ():
        if (
            learns_in_training(layer)
            and (matcher.matches(name) or name in owners)
            and layer not in seen
        ):
            norms[name] = layer
            seen.add(layer)
    for pattern in patterns:
        if pattern not in matcher.used:
            raise ValueError(_no_match(module, pattern, caller))
    order = [name for name in first_name.values() if name in parameters]
    return Selection({name: parameters[name] for name in order}, norms)


class _Matcher:
    """Matches names against patterns, and remembers which patterns have matched."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self.exact = set(patterns)
        self.globs = {
            pattern: re.compile(translate(pattern))
            for pattern in patterns
            if any(sign in pattern for sign in "*?[")
        }
        self.used: set[str] = set()

    def matches(self, name: str) -> bool:
        prefixes = list(_prefixes(name))
        used = {prefix for prefix in prefixes if prefix in self.exact} | {
            pattern
            for pattern, glob in self.globs.items()
            if any(glob.match(prefix) for prefix in prefixes)
        }
        self.used |= used
        return bool(used)


def _prefixes(name: str) -> Iterator[str]:
    """Yield the name and the modules around it: a.b.c, a.b, a."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def _require_strings(patterns: Iterable[object], caller: str) -> None:
    for pattern in patterns:
        if not isinstance(pattern, str):
            kind = type(pattern).__name__
            cure = f"unpack a list of names: {caller}(module, *names)"
            if isinstance(pattern, nn.Module):
                cure = f"call {caller} on that module itself"
            elif isinstance(pattern, nn.Parameter):
                cure = "pass its name, as in named_parameters()"
            msg = f"{caller}: expected patterns as strings, got {kind}; {cure}"
            raise TypeError(msg)


def _no_match(module: nn.Module, pattern: str, caller: str) -> str:
    names = [name for name, _ in module.named_modules() if name]
    names += [name for name, _ in module.named_parameters(remove_duplicate=False)]
    near = _nearest(pattern, list(dict.fromkeys(names)))
    message = f"{caller}: {pattern!r} matches no parameter of {type(module).__name__}"
    part = dict(module.named_modules()).get(pattern)
    if pattern and part is not None:
        return (
            f"{message}: it is a {type(part).__name__} without any; name another part"
        )
    if near:
        return f"{message}; did you mean {', '.join(map(repr, near))}?"
    parts = [name for name, _ in module.named_children()]
    parts += [name for name, _ in module.named_parameters(recurse=False)]
    if parts:
        shown = ", ".join(map(repr, parts[:8])) + (", …" if parts[8:] else "")
        return f"{message}; its parts are {shown}"
    return f"{message}, which has none"


def _nearest(pattern: str, names: list[str]) -> list[str]:
    """Return up to three names most similar to a pattern, the most similar first."""
    scored = []
    # Names are short, so only the beginning of a long pattern is compared.
    matcher = SequenceMatcher(b=pattern[:200], autojunk=False)
    for name in names:
        matcher.set_seq1(name)
        if matcher.quick_ratio() >= _ALIKE and (score := matcher.ratio()) >= _ALIKE:
            scored.append((score, name))
    best = max((score for score, _ in scored), default=0)
    close = [pair for pair in scored if pair[0] > best - 0.1]
    return [name for _, name in sorted(close, key=lambda pair: -pair[0])[:3]]


_ALIKE = 0.6
