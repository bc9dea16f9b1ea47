"""Defines what a report says about one tensor."""

from typing import NamedTuple


class Row(NamedTuple):
    """What is said about one tensor.

    Attributes:
        name: The name, as in ``named_parameters()`` or ``named_buffers()``; for a
            tensor that the model does not register, the path to it.
        verdict: One word of a fixed list, such as ``trains`` or ``cut``.
        why: The reason; empty if there is nothing to say.
        where: File and line, and the module the line lies in; empty if unknown.
        numel: How many numbers the tensor holds.
        kind: ``parameter``, ``buffer``, ``optimizer``, ``tensor`` or, of what is said
            about a whole run, ``run``.
    """

    name: str
    verdict: str
    why: str = ""
    where: str = ""
    numel: int = 0
    kind: str = "parameter"

    @property
    def is_problem(self) -> bool:
        """Whether a user should act on it."""
        return self.verdict not in _EXPECTED


class NormalRow(Row):
    """A row on what is normal at the start of a training, and so is no problem."""

    __slots__ = ()

    @property
    def is_problem(self) -> bool:
        """Whether a user should act on it: no."""
        return False


_EXPECTED = {"trains", "frozen", "unknown"}
