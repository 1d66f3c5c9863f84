"""P L U = A of one large square matrix, in panels of columns."""

import math

import numpy as np

from .._run import Call, Output, Step, by_shape, run, tiles
from .._typing import Array
from .panels import panels, tasks

#: From how many rows on panels on several workers are quicker than LAPACK on one.
LARGE = 448

# of a panel, in a matrix of less than 1000 rows and in others: what the others wait for grows with
# it, and so does the rate of products
_WIDTHS = 96, 128
_WIDE = 2  # panels of columns that one task updates, at most
_COST = 0.03  # ns: a multiplication
_COLUMNS = 64  # of b in a block
_ALL = math.inf  # multiplications of a step: LAPACK exchanges rows in all of them


def factor(
    a: Array, backend: str | None = None, workers: int | None = None, *, width: int | None = None
) -> tuple[Array, Array, Array]:
    """LU of a (n, n) by columns, the row that each row changed with, and of each column of a the
    largest part of an element: see `hotloops.kernels.lu`. Panels are `width` columns wide."""
    n = len(a)
    if width is None:
        width = _WIDTHS[n >= 1000]
    arrays = {
        "a": a, "lu": Output((n, n), a.dtype), "order": Output((n,), np.intp),
        "largest": Output((n,), np.float64),
    }  # fmt: skip
    call = Call("lu", a.dtype, arrays, _steps(n, width), ("lu", "order", "largest"))
    found: tuple[Array, Array, Array] = run(call, backend, workers)
    return found


@by_shape
def _steps(n: int, width: int) -> list[Step]:
    """The steps of a matrix of n rows, in a valid serial order."""
    steps: list[Step] = []
    for columns, panel in tasks(n, width, _WIDE * width):
        first, own = panel[0], panel[1] - panel[0]
        if columns is None:
            work = own * own * (n - first)
            steps.append(Step("panel", [(*panel, first)], 2 * _COST * work, _ALL))
        else:
            work = own * (columns[1] - columns[0]) * (n - first)
            tile = (*columns, *panel, first)
            steps.append(Step("update", [tile], _COST * work, _ALL, panel="lu"))
    head, *others = (Step("columns", [t], n * (t[1] - t[0])) for t in panels(n, width))
    steps[:1] = [head, steps[0], *others]  # the first panel is made meanwhile
    for panel in panels(n, width)[:-1]:
        work = (panel[1] - panel[0]) * (n - panel[1])
        steps.append(Step("exchange", [(*panel, panel[1])], work, _ALL))
    return steps


def solve(
    lu: Array,
    order: Array,
    b: Array,
    backend: str | None = None,
    workers: int | None = None,
    *,
    out: Array | None = None,
) -> Array:
    """x (n, p) with A x = b (n, p), from the factors of A."""
    n, p = b.shape
    arrays = {"lu": lu, "order": order, "b": b, "x": Output(b.shape, b.dtype)}
    step = _solution(n, p)
    x: Array = run(Call("lu", b.dtype, arrays, [step], ("x",)), backend, workers, out=out)
    return x


@by_shape
def _solution(n: int, p: int) -> Step:
    columns = max(1, -(-p // -(-p // _COLUMNS)))
    return Step("solve", tiles.grid((p,), (columns,)), _COST * n * n * p, _ALL)
