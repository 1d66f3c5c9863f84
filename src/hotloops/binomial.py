"""How likely the values of a binomial variable are, and how often draws of it give each."""

import math

import numpy as np
from scipy.special import erfinv

from . import _arrays, _binomial_stream
from ._run import Call, Output, Step, each, kept, run, tiles
from .kernels.binomial import width

_INT64, _FLOAT64 = np.dtype(np.int64), np.dtype(np.float64)
_METHODS = ("multinomial", "stream")
_MOST_DRAWS = 2**57  # for which NumPy's sampler squares distances from the mean within 64 bits
_RARE = 2**-26  # probability of what is drawn apart
_MANY = 2**40  # draws for which it is: fewer hardly see that NumPy < 2.4 rounds 1 - p
_ROOM = 2**13  # numbers in the tables that are held at a time, unless one has more
_LARGEST = 2**28  # numbers of a result that is made without being asked for by `out`: 2 GiB


def binomial_counts(
    n, p, draws, *, method="multinomial", rng=None, out=None, backend=None, workers=None
):
    """Counts of the values of draws from a binomial distribution.

    .. math:: c_v = \\#\\{t : x_t = v\\}, \\quad x_1, …, x_T \\sim \\mathrm{Binomial}(n, p),
              \\quad 0 \\le v \\le n

    Parameters
    ----------
    n : int
        Trials of each draw. Without `out` the result may have 2**28 numbers, which are 2 GiB: n can
        be 2**28 − 1 for one p, and less for several.
    p : float or array_like
        Probability of success, in [0, 1]. Of an array, each element has counts of its own, drawn
        in C order.
    draws : int
        T, up to 2**63 − 1.
    method : {"multinomial", "stream"}
        "multinomial" takes the counts from their own distribution, Multinomial(T, P), without
        making the draws. "stream" makes them: its counts are exactly
        ``np.bincount(rng.binomial(n, p, draws), minlength=n + 1)`` of the NumPy installed, and rng
        is left as by that. Of a class that has a `binomial` of its own, this is called, with all
        draws of a p at once.
    rng : None, int or numpy.random.Generator
        A seed, or the generator to draw with. The same one gives the same counts in all backends.
    out : ndarray of int64, shape p.shape + (n + 1,), optional
        Where to put the result.
    backend : {"cython", "numba", "numpy"}, optional
        See `set_backend`.
    workers : int, optional
        See `set_workers`. There is one stream of random numbers: one thread draws, except with
        "stream" where the bit generator can be sent ahead (PCG64, PCG64DXSM, Philox).

    Returns
    -------
    ndarray of int64, shape p.shape + (n + 1,)
        Sums to `draws` along the last axis.

    Raises
    ------
    TypeError
        For n or draws that are no integers, a p that is not real, an rng of another kind (a
        RandomState too).
    ValueError
        For a negative n or draws, an n that makes the result very large, a p outside [0, 1] or NaN,
        an unknown method, an unfit `out`.

    Notes
    -----
    Accuracy: "multinomial" is exact in distribution, as far as NumPy's own binomial sampler is:
    each P(v) is within 2 ulps down to underflow, and the rarest values are drawn first, so that
    neither tail is lost in a sum. More than 2**40 draws are made in two steps, so that the sampler
    meets no probability that 1 minus it would lose; more than 2**57 in parts, because it overflows.

    Where n·min(p, 1 − p) ≤ 30, NumPy finds a draw from one double, in the order of the doubles.
    "stream" sorts many doubles between the thresholds of that map, which it reads off the
    installed NumPy's sampler and checks against it, for each n and p once as many draws have been
    asked for as take NumPy the same time. Fewer draws, larger n·min(p, 1 − p), bit generators that
    are not NumPy's, tables that fail the check and the backend "numpy" take ``rng.binomial``
    itself, some draws at a time. The bit generator's lock is held for the whole call.

    Cost: "multinomial", O(n) at most and O(√(n p (1 − p))) drawn values, whatever `draws` is;
    "stream", O(draws), for a tabulated p hardly more than the doubles themselves. Memory: the
    result, O(√n) and at most a few hundred kilobytes.

    Source: the conditional method of C. S. Davis, The computer generation of multinomial random
    variates, Comput. Stat. Data Anal. 16 (1993).

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.binomial_counts(4, [0.0, 1.0], 10**18)
    array([[1000000000000000000,                   0,                   0,
                              0,                   0],
           [                  0,                   0,                   0,
                              0, 1000000000000000000]])
    >>> int(hl.binomial_counts(55, 0.05, 10**6, rng=1).sum())
    1000000
    """
    p = _probabilities(p)
    n = _trials(
        n, p, out, "np.unique(rng.binomial(n, p, draws), return_counts=True) counts the values"
    )
    draws = _arrays.integer("draws", draws)
    _arrays.choice("method", method, _METHODS)
    rng = _arrays.generator("rng", rng)
    backend, workers = kept("binomial", backend, workers)
    result = _arrays.output(out, (*p.shape, n + 1), _INT64, p=p)
    if not (result.size and draws):
        result[...] = 0
        return result
    p = _arrays.ready(p, _FLOAT64).reshape(-1)
    counts = np.asarray(result).reshape(-1, n + 1)
    if method == "stream":
        _binomial_stream.fill(n, p, draws, rng, backend, workers, counts)
    else:
        _multinomial(n, p, draws, rng, backend, counts)
    return result


def _probabilities(p):
    p = _arrays.real("p", p)
    if not p.ndim and 0 <= p.item() <= 1:  # in a tenth of the time
        return p
    inside = (p >= 0) & (p <= 1)
    if not inside.all():
        where = tuple(np.argwhere(~inside)[0].tolist())
        place = f" at index {where}" if where else ""
        raise ValueError(f"p must be in [0, 1], got {p[where]}{place}")
    return p


def _trials(n, p, out, other):
    """n; `other`: what takes one for which the result would be very large."""
    n = _arrays.integer("n", n)
    largest = max(_LARGEST // max(1, p.size), 2) - 1
    if out is None and n > largest:
        raise ValueError(
            f"n must be <= {largest} without `out`, because the result has n + 1 numbers for each "
            f"of {p.size} p, got {n}: {other}"
        )
    return n


def _multinomial(n, p, draws, rng, backend, counts):
    """counts (len(p), n + 1) of `draws` draws for each p, from some tables at a time."""
    rows = max(1, _ROOM // width(n))

    def draw(k):
        some = slice(k * rows, (k + 1) * rows)
        _draw(n, p[some], draws, rng, backend, counts[some])

    each(draw, -(-len(p) // rows), 1)


def _draw(n, p, draws, rng, backend, counts):
    values, probabilities = _tables(n, p, backend)
    counts[...] = 0
    if draws <= _MANY and len(p) == 1:  # in a tenth of the time
        counts[0, values[0]] = rng.multinomial(draws, probabilities[0])
        return
    if draws <= _MANY:
        # zeros in front of a table take nothing from the stream
        drawn = rng.multinomial(draws, probabilities)
        row, column = np.nonzero(drawn)
        counts[row, values[row, column]] = drawn[row, column]
        return
    for row, its_values, its in zip(counts, values, probabilities, strict=True):
        _many(rng, draws, its[its > 0], row, its_values[its > 0])


def _tables(n, p, backend):
    """The values of some p by their probabilities, ascending, and these, with zeros in front where
    another p has more."""
    rows, columns = len(p), width(n)
    shape = rows, columns
    call = Call(
        "binomial",
        _FLOAT64,
        {
            "p": p,
            "n": n,
            "first": Output((rows,), _INT64),
            "values": Output(shape, _INT64),
            "probabilities": Output(shape, _FLOAT64),
        },
        [Step("tables", [(0, rows)])],
        ("first", "values", "probabilities"),
    )
    first, values, probabilities = run(call, backend, 1)
    least = min(first.tolist())
    values, probabilities = values[:, least:], probabilities[:, least:]
    if rows > 1:
        probabilities[np.arange(least, columns) < first[:, None]] = 0
    return values, probabilities


def _many(rng, draws, probabilities, counts, places):
    # the rarest values, and of the mode so much that they have the probability _RARE together
    k = np.searchsorted(np.cumsum(probabilities), _RARE)
    rare = probabilities[:k] / _RARE
    apart = 0
    for done in range(0, draws, _MOST_DRAWS):
        part = min(draws - done, _MOST_DRAWS)
        drawn = rng.multinomial(part, np.append(_RARE, probabilities[k:]))
        apart += drawn[0]
        counts[places[k:]] += drawn[1:]
    drawn = rng.multinomial(apart, np.append(rare, 1 - rare.sum()))
    counts[places[:k]] = drawn[:k]
    counts[places[-1]] += drawn[k]


def binomial_pmf(n, p, *, out=None, backend=None, workers=None):
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
    p = _probabilities(p)
    n = _trials(n, p, out, "scipy.stats.binom.pmf(v, n, p) has the probability of single values v")
    cost = _cost(n)
    call = Call(
        "binomial",
        _FLOAT64,
        {
            "p": _arrays.ready(p, _FLOAT64).reshape(-1),
            "n": n,
            "out": Output((*p.shape, n + 1), _FLOAT64, (p.size, n + 1)),
        },
        [Step("pmf", tiles.rows(p.size, cost), p.size * cost)],
    )
    return run(call, backend, workers, out=out, p=p)


def _cost(n):
    """ns that a table takes, and its row of the result."""
    return 200 + 60 * width(n) + n


def binomial_probabilities(
    n, p, draws, *, confidence=0.95, method="multinomial", rng=None, backend=None, workers=None
):
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
    estimate = counts / draws
    lower, upper = _wilson(counts, draws, math.sqrt(2) * float(erfinv(confidence)))
    # rounding may put the end of a narrow interval on the other side
    return estimate, np.minimum(lower, estimate), np.maximum(upper, estimate)


def _wilson(counts, draws, z):
    # The rarer outcome's interval, whose ends are the roots of a quadratic: the smaller one is
    # their product over the larger one, and nothing cancels. The other outcome's is its mirror.
    rarer = np.minimum(counts, draws - counts)
    with np.errstate(under="ignore"):
        larger = rarer + z * z / 2 + z * np.sqrt(rarer * (1 - rarer / draws) + z * z / 4)
        # a root that underflows is one of a count of 0
        lower = rarer.astype(float) ** 2 / (draws * np.maximum(larger, 1))
        upper = larger / (draws + z * z)
    mirror = counts > draws // 2
    return np.where(mirror, 1 - upper, lower), np.where(mirror, 1 - lower, upper)
