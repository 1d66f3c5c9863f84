"""How often draws of a binomial variable give each of its values."""

import functools
from typing import Literal, SupportsIndex, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .. import _arrays
from .._run import Call, Output, Step, each, number_of_workers, resolve, run
from .._run.backends import Backend
from .._typing import Array, Counts, Rng
from ..kernels.binomial import width
from . import _checks, _stream

Method: TypeAlias = Literal["multinomial", "stream"]

_INT64, _FLOAT64 = np.dtype(np.int64), np.dtype(np.float64)
_METHODS = ("multinomial", "stream")
_MOST_DRAWS = 2**57  # for which NumPy's sampler squares distances from the mean within 64 bits
_RARE = 2**-26  # probability of what is drawn apart
_MANY = 2**40  # draws for which it is: fewer hardly see that NumPy < 2.4 rounds 1 - p
_KEPT = 2**10  # numbers of a table, at most, that is kept for later calls
_ROOM = 2**13  # numbers in the tables that are held at a time, unless one has more


def binomial_counts(
    n: SupportsIndex,
    p: ArrayLike,
    draws: SupportsIndex,
    *,
    method: Method = "multinomial",
    rng: Rng = None,
    out: Counts | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> Counts:
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
    p = _checks.probabilities(p)
    n = _checks.trials(
        n, p, out, "np.unique(rng.binomial(n, p, draws), return_counts=True) counts the values"
    )
    draws = _arrays.integer("draws", draws)
    _arrays.choice("method", method, _METHODS)
    rng = _arrays.generator("rng", rng)
    result = _arrays.output(out, (*p.shape, n + 1), _INT64, p=p)
    flat = p.reshape(-1)
    if flat.dtype is not _FLOAT64:
        flat = flat.astype(_FLOAT64)
    counts = np.asarray(result).reshape(len(flat), n + 1)
    if method == "stream":
        _stream.count_draws(n, flat, draws, rng, backend, workers, counts)
    else:
        _multinomial(n, flat, draws, rng, backend, workers, counts)
    return result


def _multinomial(
    n: int,
    p: Array,
    draws: int,
    rng: np.random.Generator,
    backend: str | None,
    workers: int | None,
    counts: Array,
) -> None:
    """Write into counts (len(p), n + 1) those of `draws` draws for each p, from the tables of some
    p at a time."""
    counts[...] = 0
    if len(p) == 1:
        table = _kept_table if width(n) <= _KEPT else _table
        values, probabilities = table(
            n, p.item(), resolve(backend, "binomial"), number_of_workers(workers)
        )
        _draw_from_one(draws, values, probabilities, rng, counts[0])
        return
    rows = max(1, _ROOM // width(n))

    def draw(k: int) -> None:
        some = slice(k * rows, (k + 1) * rows)
        tables = _tables(n, p[some], backend, workers)
        _draw(draws, *tables, rng, counts[some])

    each(draw, -(-len(p) // rows) or 1, 1)  # one stream: the p in their order


def _tables(
    n: int, p: Array, backend: str | None, workers: int | None
) -> tuple[Array, Array, Array]:
    """Where the table of each p begins, its values by their probabilities, ascending, and these."""
    rows = len(p)
    shape = rows, width(n)
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
    tables: tuple[Array, Array, Array] = run(call, backend, workers)
    return tables


def _table(n: int, p: float, backend: Backend, workers: int) -> tuple[Array, Array]:
    """The values of one p by their probabilities, ascending, and these."""
    first, values, probabilities = _tables(n, np.array([p]), backend.name, workers)
    start = first.item()
    return values[0, start:], probabilities[0, start:]


# those asked for again and again, which take longer to make than to draw from
_kept_table = functools.lru_cache(maxsize=16)(_table)


def _draw(
    draws: int,
    first: Array,
    values: Array,
    probabilities: Array,
    rng: np.random.Generator,
    counts: Array,
) -> None:
    """Write the counts of `draws` draws from each table into its row of zeros."""
    if draws <= _MANY:
        # zeros in front of a table take nothing from the stream
        least, columns = min(first.tolist(), default=0), np.arange(values.shape[1])
        probabilities[columns < first[:, None]] = 0
        drawn = rng.multinomial(draws, probabilities[:, least:])
        row, column = np.nonzero(drawn)
        counts[row, values[row, column + least]] = drawn[row, column]
    else:
        for k, start in enumerate(first.tolist()):
            _draw_from_one(draws, values[k, start:], probabilities[k, start:], rng, counts[k])


def _draw_from_one(
    draws: int, values: Array, probabilities: Array, rng: np.random.Generator, counts: Array
) -> None:
    """Write the counts of `draws` draws from one table into zeros."""
    if draws <= _MANY:
        counts.put(values, rng.multinomial(draws, probabilities))
    else:
        _draw_many(draws, values, probabilities, rng, counts)


def _draw_many(
    draws: int, values: Array, probabilities: Array, rng: np.random.Generator, counts: Array
) -> None:
    """Add the counts of any number of draws from one table, in two steps: the rarest values, and of
    the mode so much that they have the probability _RARE together, are drawn apart."""
    k = np.searchsorted(np.cumsum(probabilities), _RARE)
    rare = probabilities[:k] / _RARE
    apart = 0
    for done in range(0, draws, _MOST_DRAWS):
        part = min(draws - done, _MOST_DRAWS)
        drawn = rng.multinomial(part, np.append(_RARE, probabilities[k:]))
        apart += drawn[0]
        counts[values[k:]] += drawn[1:]
    drawn = rng.multinomial(apart, np.append(rare, 1 - rare.sum()))
    counts[values[:k]] = drawn[:k]
    counts[values[-1]] += drawn[k]
