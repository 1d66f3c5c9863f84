"""Least squares: factor a matrix once, solve for many right-hand sides."""

from .differences import Differences as Differences
from .least_squares import LeastSquares
from .ridge import RidgePath
from .singular import rank_tolerance as rank_tolerance

__all__ = ["LeastSquares", "RidgePath"]


def __dir__() -> list[str]:
    return __all__
