"""Covariance matrices."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _arrays
from .._run import Call, Form, Output, Step, by_shape, run
from .._run.tiles import is_short, rows
from .._typing import Floats
from ..kernels.linalg import STRIPE, TILE
from ._common import FLOP, real


def covariance(
    X: ArrayLike,
    *,
    ddof: int = 1,
    out: Floats | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> Floats:
    """Covariance matrices of the columns.

    .. math:: C = \\frac{1}{n - \\mathrm{ddof}} \\sum_i (x_i - \\bar x)(x_i - \\bar x)^T

    Parameters
    ----------
    X : array_like, shape (..., n_samples, n_features)
        Each of the leading indices has a covariance of its own. `np.cov` takes one, and without
        ``rowvar=False`` its variables are the rows.
    ddof : int
        Degrees of freedom that the mean takes, not negative: 1 for the unbiased estimate, 0 for
        that of maximal likelihood.
    out : ndarray, shape (..., n_features, n_features), optional
        Where to put the result.
    backend, workers
        As in `distances`.

    Returns
    -------
    ndarray, shape (..., n_features, n_features)
        Exactly symmetric. float32 if X is, else float64.

    Raises
    ------
    TypeError
        For an array that is not real, a ddof that is not an integer.
    ValueError
        For fewer than two dimensions, no more samples than ddof, an unfit `out`.

    Notes
    -----
    X is not copied: tiles of it are centred as they are multiplied, those of a large matrix each on
    a mean of its own, and the scatter of these means is added. Accuracy: that of sums of n products
    of exact deviations, at any offset of the data; float32 in sums of 256, which are added up in
    float64. NaN and inf make the rows and columns of their features NaN, and sums of squares beyond
    the dtype's range inf or NaN.

    Cost: n_samples n_features² multiplications. Memory: the result and, for large matrices, up to
    8 partial sums in float64 and n_samples / 256 means.

    Source: Chan, Golub & LeVeque, The American Statistician 37 (1983) 242.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.linalg.covariance([[1e9 + 1, 0.0], [1e9 + 2, 2.0], [1e9 + 3, 4.0]])
    array([[1., 2.],
           [2., 4.]])
    """
    x = real("X", X, 2)
    ddof = _arrays.integer("ddof", ddof)
    *batch, n, d = x.shape
    if n <= ddof:
        raise ValueError(f"X must have more than ddof={ddof} samples, got shape {x.shape}")
    items, shape = math.prod(batch), (*batch, d, d)
    data = x.reshape(items, n, d)
    cost = 500 + n * d * (1 + FLOP * d)
    if n > TILE and not is_short(cost if items == 1 else cost / 50):
        result = _arrays.output(out, shape, x.dtype, X=x)
        for item, matrix in zip(data, np.asarray(result).reshape(items, d, d), strict=True):
            run(_by_tiles(item, ddof, cost / n), backend, workers, out=matrix)
        return result
    call = _one_by_one(x.shape, x.dtype, items, cost).of(data, float(n - ddof))
    covariances: Floats = run(call, backend, workers, out=out, X=x)
    return covariances


@by_shape
def _one_by_one(shape: tuple[int, ...], dtype: np.dtype[Any], items: int, cost: float) -> Form:
    """The form of the calls that make the covariance of each item of a batch of this shape, in
    `cost` ns each."""
    *batch, n, d = shape
    step = Step("covariances", rows(items, cost), multiplications=_stripe(n, d))
    out = Output((*batch, d, d), dtype, (items, d, d))
    return Form(("x", "freedom"), "linalg", dtype, {"out": out}, [step])


def _stripe(n: int, d: int) -> int:
    """How many multiplications the largest product has that the scatter of n rows is made of."""
    return int(min(STRIPE, d) * d * min(TILE, n))


def _by_tiles(x: Floats, ddof: int, cost: float) -> Call:
    """The call that makes a covariance of the scatters within tiles of rows, which take `cost` ns
    each, and of the scatter between the tiles."""
    n, d = x.shape
    tiles = -(-n // TILE)
    row = d * (2 + FLOP * tiles)
    return Call(
        "linalg",
        x.dtype,
        {
            "x": x,
            "n": n,
            "freedom": float(n - ddof),
            "means": Output((tiles, d), np.float64),
            "total": Output((d, d), np.float64),
            "out": Output((d, d), x.dtype),
        },
        [
            Step("scatter", rows(tiles, TILE * cost), multiplications=_stripe(n, d)),
            Step("centre", [()], tiles * d),
            Step("join", rows(d, row), d * row, STRIPE * d * tiles),
        ],
    )
