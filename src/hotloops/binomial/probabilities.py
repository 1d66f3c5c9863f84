"""How likely the values of a binomial variable are, exactly and as estimated from draws."""

import math
from typing import SupportsIndex, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfinv

from .. import _arrays
from .._run import Call, Form, Output, Step, by_shape, run, tiles
from .._typing import Rng
from ..kernels.binomial import width
from . import _checks
from .counts import Method, binomial_counts

Doubles: TypeAlias = NDArray[np.float64]

_FLOAT64 = np.dtype(np.float64)
_COST = 10  # ns of an interval


def binomial_pmf(
    n: SupportsIndex,
    p: ArrayLike,
    *,
    out: Doubles | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> Doubles:
    """Probabilities of the values of a binomial variable.

    .. math:: P(v) = \\binom{n}{v} p^v (1 - p)^{n - v}, \\quad 0 \\le v \\le n

    Parameters
    ----------
    n : int
        Trials. Without `out` the result may have 2**28 numbers, which are 2 GiB.
    p : float or array_like
        Probability of success, in [0, 1].
    out : ndarray of float64, shape p.shape + (n + 1,), optional
        Where to put the result.
    backend : {"cython", "numba", "numpy"}, optional
        See `set_backend`.
    workers : int, optional
        See `set_workers`.

    Returns
    -------
    ndarray, shape p.shape + (n + 1,)

    Raises
    ------
    TypeError
        For an n that is no integer, a p that is not real.
    ValueError
        For a negative n, an n that makes the result very large, a p outside [0, 1] or NaN, an unfit
        `out`.

    Notes
    -----
    Accuracy: each value is within 2 ulps, and half the smallest subnormal, of that of the given
    double p; the same bits in all backends. Cost: O(n) at most and O(√(n p (1 − p))) ratios.
    Memory: the result.

    Source: the ratio of neighbours, from the mode outwards, in double-double arithmetic: T. J.
    Dekker, A floating-point technique for extending the available precision, Numer. Math. 18
    (1971).

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.binomial_pmf(4, 0.5)
    array([0.0625, 0.25  , 0.375 , 0.25  , 0.0625])
    """
    p = _checks.probabilities(p)
    n = _checks.trials(n, p, out, "scipy.stats.binom.pmf(v, n, p) has the probability of a value v")
    call = _pmf(p.shape, n).of(_arrays.ready(p, _FLOAT64).reshape(-1))
    result: Doubles = run(call, backend, workers, out=out, p=p)
    return result


@by_shape
def _pmf(shape: tuple[int, ...], n: int) -> Form:
    """The form of the calls that make the probabilities of 0 … n for an array of p."""
    size = math.prod(shape)
    cost = 200 + 60 * width(n) + n  # ns of a table, and of its row of the result
    step = Step("pmf", tiles.rows(size, cost), size * cost)
    arrays = {"n": n, "out": Output((*shape, n + 1), _FLOAT64, (size, n + 1))}
    return Form(("p",), "binomial", _FLOAT64, arrays, [step])


def binomial_probabilities(
    n: SupportsIndex,
    p: ArrayLike,
    draws: SupportsIndex,
    *,
    confidence: float = 0.95,
    method: Method = "multinomial",
    rng: Rng = None,
    backend: str | None = None,
    workers: int | None = None,
) -> tuple[Doubles, Doubles, Doubles]:
    """Monte-Carlo estimates of the probabilities of a binomial distribution, with intervals.

    .. math:: \\hat P_v = c_v / T, \\quad
              \\frac{c_v + z^2/2 \\pm z \\sqrt{c_v (T - c_v) / T + z^2/4}}{T + z^2}

    Parameters
    ----------
    n, p, draws, method, rng
        As in `binomial_counts`, which makes the counts c. draws = T ≥ 1.
    confidence : float
        Of each interval by itself, between 0 and 1: z is the normal quantile of
        (1 + confidence) / 2.
    backend, workers
        As in `binomial_counts`.

    Returns
    -------
    estimate, lower, upper : ndarray, shape p.shape + (n + 1,)
        c / T, and the ends of its Wilson score interval, without continuity correction.

    Raises
    ------
    TypeError, ValueError
        As `binomial_counts`; and for no draws, a confidence not between 0 and 1.

    Notes
    -----
    Accuracy: a few ulps; the lower end of a count of 0 is exactly 0, the upper end of one of T
    exactly 1. Cost and memory: as in `binomial_counts`.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference,
    J. Am. Stat. Assoc. 22 (1927).

    Examples
    --------
    >>> import hotloops as hl
    >>> estimate, lower, upper = hl.binomial_probabilities(2, 1.0, 100)
    >>> estimate
    array([0., 0., 1.])
    >>> lower.round(4)
    array([0.   , 0.   , 0.963])
    """
    confidence = _arrays.scalar("confidence", confidence)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
    draws = _arrays.integer("draws", draws, minimum=1)
    counts = binomial_counts(n, p, draws, method=method, rng=rng, backend=backend, workers=workers)
    ends = Output(counts.shape, _FLOAT64, (counts.size,))
    call = Call(
        "binomial",
        _FLOAT64,
        {
            "counts": counts.reshape(-1),
            "draws": draws,
            "z": math.sqrt(2) * float(erfinv(confidence)),
            "estimate": ends,
            "lower": ends,
            "upper": ends,
        },
        [Step("intervals", tiles.rows(counts.size, _COST), counts.size * _COST)],
        ("estimate", "lower", "upper"),
    )
    result: tuple[Doubles, Doubles, Doubles] = run(call, backend, workers)
    return result
