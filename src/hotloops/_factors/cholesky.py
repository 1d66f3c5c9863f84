"""Cholesky's factor of a large matrix, its solutions and its inverse."""

import functools
import math
from collections.abc import Sequence

import numpy as np

from .._run import Call, HostStep, Output, Step, run
from .._run.guard import TRIANGULAR
from .._run.tiles import Tile
from .._typing import Array
from ..kernels.cholesky import PANEL

_DOUBLE = np.dtype(np.float64)
_MULTIPLICATION = 0.06  # ns, in a product
#: From how many rows on tiles on several workers are quicker than LAPACK on one.
LARGE = 640
_ROWS = 64  # of right-hand sides at once


def factor(
    a: Array, backend: str | None = None, workers: int | None = None, width: int | None = None
) -> tuple[Array, Array]:
    """L in the lower triangle of A = L Lᴴ (n, n), the one part that is read, and the share of each
    element of the diagonal that the elimination leaves: 0 from the first row on where nothing
    positive is left, and L has no meaning from there on. Panels are `width` columns wide."""
    n, dtype = len(a), a.dtype
    if width is None:
        width = PANEL if n >= LARGE else max(n, 1)
    arrays = {"a": Output((n, n), dtype), "share": Output((n,), _DOUBLE)}
    call = Call("cholesky", dtype, arrays, _factor(n, width), ("a", "share"))
    found: tuple[Array, Array] = run(call, backend, workers, out=a)
    return found


def upper(a: Array, backend: str | None = None, workers: int | None = None) -> tuple[Array, Array]:
    """R in the upper triangle of A = Rᴴ R (n, n), of which the upper triangle is read and kept, and
    the shares that `factor` tells."""
    lower, share = factor(np.array(a.conj().T, order="C"), backend, workers)
    return np.array(lower.conj().T, order="C"), share


def _diagonal(a: Array, diagonal: Array) -> None:
    """Write the diagonal of a Hermitian matrix."""
    diagonal[:] = a.diagonal().real


def _bounds(start: int, stop: int, step: int) -> list[Tile]:
    """Tiles of range(start, stop), each `step` long but for the last."""
    return [(a, min(a + step, stop)) for a in range(start, stop, step)]


def _step(block: str, tile: Tile, **names: str) -> Step:
    """A step of one tile, (rows, columns, terms), which of a tile on the diagonal are (columns,
    terms)."""
    rows, *others = (stop - start for start, stop in zip(tile[::2], tile[1::2], strict=True))
    columns, terms = others if len(others) == 2 else (rows, others[0])
    work = rows * columns * (terms + columns)
    most = max(work, TRIANGULAR * rows * columns)
    return Step(block, [tile], work * _MULTIPLICATION, most, left="a", **names)


@functools.lru_cache(maxsize=16)
def _factor(n: int, width: int) -> Sequence[Step | HostStep]:
    """The tiles of a factor in a valid serial order. What the next panel waits for comes first;
    the sums of those behind it are made meanwhile."""
    steps: list[Step | HostStep] = [HostStep(_diagonal, ["a"], ["share"])]
    steps.append(_step("factor", (0, min(n, width), 0, 0)))
    panels, height = _bounds(0, n, width), 2 * width
    for k, panel in enumerate(panels):
        terms, below = panels[k - 1] if k else (0, 0), panel[1]
        for following in panels[k + 1 : k + 2]:
            tile = following + panel + terms
            steps.append(_step("column", tile, right="a", corner="a"))
            steps.append(_step("factor", following + panel))
            below = following[1]
        for rows in _bounds(below, n, height):
            steps.append(_step("column", rows + panel + terms, right="a", corner="a"))
        for coming in panels[k + 2 : k + 3]:
            for rows in _bounds(coming[0], n, height):
                steps.append(_step("update", (*rows, *coming, 0, panel[1]), right="a"))
    return steps


def solve(
    lower: Array,
    b: Array,
    *,
    adjoint: bool,
    backend: str | None = None,
    workers: int | None = None,
) -> Array:
    """The rows of B (p, n) times L⁻ᴴ, if `adjoint`, or L⁻¹, in place of B. The one after the other
    takes bᴴ to (A⁻¹ b)ᴴ, A = L Lᴴ."""
    (p, n), dtype = b.shape, lower.dtype
    step = Step("solve", _bounds(0, p, _ROWS), p * n * n / 2 * _MULTIPLICATION,
                _ROWS * n * max(n, TRIANGULAR))  # fmt: skip
    arrays = {"lower": lower, "adjoint": adjoint, "b": Output((p, n), dtype)}
    solution: Array = run(Call("cholesky", dtype, arrays, [step], ("b",)), backend, workers, out=b)
    return solution


def solved(
    a: Array,
    b: Array,
    backend: str | None = None,
    workers: int | None = None,
    width: int = PANEL,
) -> tuple[Array, Array, Array]:
    """What `factor` makes of A, and B A⁻¹ of rows B (t, n)."""
    n, dtype = len(a), a.dtype
    steps = _solved(n, len(b), min(n, width))
    arrays = {"a": Output((n, n), dtype), "share": Output((n,), _DOUBLE), "given": b,
              "b": Output(b.shape, dtype)}  # fmt: skip
    call = Call("cholesky", dtype, arrays, steps, ("a", "share", "b"))
    found: tuple[Array, Array, Array] = run(call, backend, workers, out=a)
    return found


def inverse(
    a: Array,
    b: Array,
    *,
    scale: float = 1.0,
    weight: float = 0.0,
    twice: bool = False,
    backend: str | None = None,
    workers: int | None = None,
    width: int = PANEL,
) -> tuple[Array, Array, Array]:
    """In place of A, of which the lower triangle is read: scale A⁻¹ + weight Xᴴ X in the tiles on
    and above the diagonal, `width` wide, of which those above it are multiplied by two if
    `twice`; the shares that `factor` tells; and X = B A⁻¹ of rows B (t, n). Where a share is 0 the
    rest has no meaning."""
    n, dtype = len(a), a.dtype
    width = min(n, width)
    both = 2.0 if twice else 1.0
    arrays = {
        "a": Output((n, n), dtype), "share": Output((n,), _DOUBLE), "given": b,
        "b": Output(b.shape, dtype), "v": Output((n, width), dtype),
        "scale": scale, "weight": weight, "above": both * scale, "beside": both * weight,
    }  # fmt: skip
    call = Call("cholesky", dtype, arrays, _inverse(n, len(b), width), ("a", "share", "b"))
    found: tuple[Array, Array, Array] = run(call, backend, workers, out=a)
    return found


def _copy(given: Array, b: Array) -> None:
    """Write the right-hand sides."""
    b[...] = given


def _one(block: str, tile: Tile, size: float, **names: str) -> Step:
    """A step of one tile, with so many multiplications, for some of which BLAS's triangular
    solutions start threads."""
    return Step(block, [tile], size * _MULTIPLICATION, math.inf, **names)


@functools.lru_cache(maxsize=16)
def _solved(n: int, t: int, width: int) -> Sequence[Step | HostStep]:
    """A factor and the solutions of t right-hand sides, in a valid serial order."""
    steps = [*_factor(n, width), HostStep(_copy, ["given"], ["b"])]
    panels, names = _bounds(0, n, width), {"corner": "a"}
    for j in panels:
        steps.append(_one("column", (0, t, *j, 0, j[0]), t * j[1] * width, left="b", right="a",
                          a="b", **names))  # fmt: skip
    for j in reversed(panels):
        size = t * (n - j[0]) * width
        steps.append(_one("back", (*j, j[1], n), size, behind="b", lower="a", **names))
    return steps


@functools.lru_cache(maxsize=16)
def _inverse(n: int, t: int, width: int) -> Sequence[Step | HostStep]:
    """A factor, the solutions and the inverse, in a valid serial order: of what may run, what
    others wait for comes first."""
    steps = [*_solved(n, t, width)]
    panels = _bounds(0, n, width)
    for place, j in enumerate(panels):
        steps.append(_one("corner", j, width**3, lower="a"))
        for i in panels[:place]:
            steps.append(_one("invert", (*i, *j, i[1], j[0]), width**2 * (j[1] - i[0]), start="v",
                              first="a", left="a", right="a", corner="v", v="a"))  # fmt: skip
    names = {"corner": "v", "right": "a", "out": "a", "x": "b"}
    for place, j in enumerate(panels):
        size = width**2 * (n - j[0])
        for i in panels[:place]:
            steps.append(_one("product", (*i, *j, j[1], n), size, left="a", y="b", scale="above",
                              weight="beside", **names))  # fmt: skip
        steps.append(_one("square", (*j, j[1], n), size / 2, **names))
    return steps


def gram(v: Array, backend: str | None = None, workers: int | None = None) -> Array:
    """V Vᴴ of V (p, n)."""
    p, n = v.shape
    bounds = [
        (*rows, *columns, rows != columns)
        for columns in _bounds(0, p, PANEL)
        for rows in [*_bounds(0, columns[0], PANEL), columns]
    ]
    work = p * p * n / 2
    arrays = {"left": v, "right": v, "out": Output((p, p), v.dtype)}
    step = Step("gram", bounds, work * _MULTIPLICATION, work)
    found: Array = run(Call("cholesky", v.dtype, arrays, [step]), backend, workers)
    return found
