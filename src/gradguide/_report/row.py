"""Defines what a report says about one tensor."""

from typing import NamedTuple


class Row(NamedTuple):
    """The verdict on one tensor.

    Attributes:
        name: The name, as in ``named_parameters()`` or ``named_buffers()``; for a
            tensor that the model does not register, the path to it.
        verdict: The verdict, such as ``trains`` or ``cut``, from a fixed list.
        why: The reason; empty if there is none.
        where: The file, the line and the module of the line; empty if unknown.
        numel: The number of elements of the tensor.
        kind: ``parameter``, ``buffer``, ``optimizer`` or ``tensor``; ``run`` for a row
            about the whole run.
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
