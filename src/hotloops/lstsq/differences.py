"""Least squares by columns that are what a subtraction left."""

from typing import Any

import numpy as np
from scipy.linalg import LinAlgWarning

from .._typing import Array
from .._warnings import warn
from .least_squares import LeastSquares
from .singular import epsilon


class Differences(LeastSquares):
    """Least squares by columns that are what subtracting others, of norms `offsets`, left: theirs
    is the rounding that decides on the rank."""

    def __init__(self, A: Array, offsets: Array, **options: Any) -> None:
        self._offsets = offsets
        super().__init__(A, **options)

    def _differences(self, dtype: np.dtype[Any]) -> dict[str, Any]:
        return {"offsets": self._offsets, "floor": 4 * epsilon(dtype)}

    def _warn(self) -> None:
        problem = self._solver.problem
        rank, full = self._solver.rank[0], min(problem.a.shape[1:])
        if rank < full:
            warn(
                f"X less the mean of each column is rank-deficient, but for what rounding makes of "
                f"a number as large as that mean: rank {rank} of {full}; coef is the solution of "
                f"least norm",
                LinAlgWarning,
            )
