"""Distances between rows."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._run import Form, Output, Step, by_shape, run
from .._run.tiles import rows
from .._typing import Floats
from ..ard import quadform


def distances(
    X: ArrayLike,
    Y: ArrayLike | None = None,
    *,
    squared: bool = False,
    out: Floats | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> Floats:
    """Euclidean distances of all pairs of rows.

    .. math:: d_{ij} = |x_i - y_j|_2

    Parameters
    ----------
    X : array_like, shape (N, D)
    Y : array_like, shape (M, D), optional
        X itself if None: half the work, an exactly symmetric result, and 0 on the diagonal.
    squared : bool
        d² in place of d.
    out : ndarray, shape (N, M), optional
        Where to put the result. Reusing one array avoids the page faults of a new one.
    backend : {"cython", "numba", "numpy"}, optional
        See `set_backend`.
    workers : int, optional
        See `set_workers`.

    Returns
    -------
    ndarray, shape (N, M)
        Never negative. float32 if all of X and Y is, else float64.

    Raises
    ------
    TypeError, ValueError
        As `quadform`.

    Notes
    -----
    It is `quadform` and a square root: differences are taken before they are squared, and where a
    matrix product is faster, those pairs for which |x|² + |y|² − 2xy cancels are made anew. That
    formula by itself gives distances of 1e-8 |x| between equal rows, and NaN where rounding makes
    the square negative. Accuracy: a few D ulps at any offset of the data. Where the square lies
    beyond the dtype's range the result is inf, and where below it 0.

    Cost and memory: as `quadform`, and one pass over the result.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.linalg.distances([[0.0, 0.0], [3.0, 4.0]])
    array([[0., 5.],
           [5., 0.]])
    """
    q = quadform(X, Y, out=out, backend=backend, workers=workers)
    if squared:
        return q
    d: Floats = run(_root(q.shape, q.dtype).of(), backend, workers, out=q)
    return d


@by_shape
def _root(shape: tuple[int, int], dtype: np.dtype[Any]) -> Form:
    """The form of the call that writes the roots of an array in its place."""
    size = math.prod(shape)
    step = Step("root", rows(size, 0.5))
    return Form((), "linalg", dtype, {"q": Output(shape, dtype, (size,))}, [step], ("q",))
