"""Light in layered media: what a stack of layers reflects, transmits and absorbs, and where."""

from .solution import StackSolution
from .stack import from_tmm, solve_stack

__all__ = ["StackSolution", "from_tmm", "solve_stack"]


def __dir__() -> list[str]:
    return __all__
