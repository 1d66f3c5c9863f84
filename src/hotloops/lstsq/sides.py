"""Right-hand sides as the kernels take them, and the results in the shape that a user expects."""

import math
from typing import Any

import numpy as np

from .._typing import Array
from .problem import Problem, check_is_finite


class Sides:
    """Right-hand sides b as columns (K, m, p) of the problem's dtype."""

    columns: Array
    #: Whether b is a vector, and how many columns a matrix of it has.
    vector: bool
    p: int
    #: The axes before those of a matrix: those of A's batch, or else those of b.
    batch: tuple[int, ...]
    lead: tuple[int, ...]
    #: The dtype of the result.
    dtype: np.dtype[Any]

    def __init__(self, b: Array, problem: Problem) -> None:
        batch, (count, m, _) = problem.batch, problem.a.shape
        self.vector = b.ndim == 1
        if not b.ndim or b.shape[0 if self.vector else -2] != m:
            raise ValueError(
                f"b must have shape ({m},) or (..., {m}, p) for A of shape "
                f"{(*batch, *problem.a.shape[1:])}, got {b.shape}"
            )
        if problem.check_finite:
            check_is_finite("b", b)
        self.dtype = problem.dtype
        self.batch, self.p = batch, 1
        self.lead = ()
        if b.dtype is self.dtype and self.vector and not batch:
            self.columns = np.ascontiguousarray(b).reshape(1, m, 1)
            return
        if b.dtype is not self.dtype:
            self.dtype = np.result_type(self.dtype, b.dtype)
        columns = b[:, None] if self.vector else b
        self.p = columns.shape[-1]
        if batch:
            try:
                columns = np.broadcast_to(columns, (*batch, m, self.p))
            except ValueError:
                raise ValueError(
                    f"the axes of b before its last two must broadcast to {batch}, the batch of A, "
                    f"got shape {b.shape}"
                ) from None
        elif columns.ndim > 2:
            self.lead = columns.shape[:-2]
            columns = np.moveaxis(columns, -2, 0)
        # the real and the imaginary parts of b for a real A are two columns
        parts = 2 if self.dtype.kind == "c" and problem.dtype.kind != "c" else 1
        columns = np.ascontiguousarray(columns, self.dtype if parts == 2 else problem.dtype)
        self.columns = columns.view(problem.dtype).reshape(
            count, m, math.prod(self.lead) * self.p * parts
        )

    def shape(self, n: int) -> tuple[int, ...]:
        """The shape of a result with n rows."""
        rows = (*self.batch, *self.lead, n)
        return rows if self.vector else (*rows, self.p)

    def restored(self, x: Array) -> Array:
        """x (K, n, p) in the shape and dtype of the result."""
        n = x.shape[1]
        if x.dtype != self.dtype:
            x = x.view(self.dtype)
        if self.lead:
            return np.moveaxis(x.reshape(n, *self.lead, self.p), 0, -2)
        return x.reshape(self.shape(n))

    def all_restored(self, several: Array) -> Array:
        """Several x, (k, K, n, p), in the shape and dtype of the results."""
        if several.dtype == self.dtype and not self.lead:
            return several.reshape(len(several), *self.shape(several.shape[2]))
        return np.stack([self.restored(x) for x in several])
