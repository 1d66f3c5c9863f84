"""Cholesky's factor of a large matrix, its solutions and its inverse."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._run import Call, HostStep, Output, Step, run
from .._run.tiles import Tile
from .._typing import Array
from ..kernels.cholesky import PANEL

_DOUBLE = np.dtype(np.float64)
_MULTIPLICATION = 0.06  # ns, in a product
#: From how many rows on tiles on several workers are quicker than LAPACK on one.
LARGE = 640
_ROWS = 64  # of right-hand sides, or of an inverse, at once


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
    return Step(block, [tile], work * _MULTIPLICATION, work, left="a", **names)


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
    step = Step("solve", _bounds(0, p, _ROWS), p * n * n / 2 * _MULTIPLICATION, _ROWS * n * n)
    arrays = {"lower": lower, "adjoint": adjoint, "b": Output((p, n), dtype)}
    solution: Array = run(Call("cholesky", dtype, arrays, [step], ("b",)), backend, workers, out=b)
    return solution


def inverse(
    lower: Array,
    out: Array,
    scratch: Array,
    *,
    scale: float = 1.0,
    x: Array | None = None,
    y: Array | None = None,
    backend: str | None = None,
    workers: int | None = None,
    width: int = _ROWS,
) -> Array:
    """scale (L Lᴴ)⁻¹ + x yᴴ, both triangles of it: x (n, t), and y such that this is Hermitian.
    `out` may be the array of L; `scratch` becomes L⁻ᴴ from the diagonal on."""
    n, dtype = len(lower), lower.dtype
    # the rows that take longest first
    bounds = [(*rows, rows[0]) for rows in _bounds(0, n, width)]
    step = Step("invert", bounds, n**3 / 6 * _MULTIPLICATION, width * n * n)
    arrays: dict[str, Any] = {"lower": lower, "v": Output((n, n), dtype)}
    v = run(Call("cholesky", dtype, arrays, [step], ("v",)), backend, workers, out=scratch)
    bounds = [
        (*rows, *columns, columns[0], rows != columns)
        for columns in _bounds(0, n, width)
        for rows in [*_bounds(0, columns[0], 4 * width), columns]
    ]
    return _products(v, bounds, n**3 / 6, out, scale, x, y, backend, workers)


def gram(v: Array, backend: str | None = None, workers: int | None = None) -> Array:
    """V Vᴴ of V (p, n)."""
    p, n = v.shape
    bounds = [
        (*rows, *columns, 0, rows != columns)
        for columns in _bounds(0, p, PANEL)
        for rows in [*_bounds(0, columns[0], PANEL), columns]
    ]
    out = np.empty((p, p), v.dtype)
    return _products(v, bounds, p * p * n / 2, out, 1.0, None, None, backend, workers)


def _products(
    v: Array, bounds: Sequence[Tile], work: float, out: Array, scale: float,
    x: Array | None, y: Array | None, backend: str | None, workers: int | None,
) -> Array:  # fmt: skip
    """scale V Vᴴ + x yᴴ over tiles on and above the diagonal."""
    none = np.empty((len(v), 0), v.dtype)
    arrays = {
        "left": v, "right": v, "x": none if x is None else x, "y": none if y is None else y,
        "scale": scale, "out": Output(out.shape, v.dtype),
    }  # fmt: skip
    step = Step("product", bounds, work * _MULTIPLICATION, work)
    call = Call("cholesky", v.dtype, arrays, [step])
    found: Array = run(call, backend, workers, out=out)
    return found
