"""Which draw NumPy's own binomial sampler makes of a double.

Where n min(p, 1 - p) is at most 30, ``Generator.binomial`` inverts the distribution function: a
draw x is found from one double u, by subtracting probabilities from it. Rounding keeps the order,
so x rises with u, whatever the formula and the compiler; above a last threshold u is dropped, and
the next one taken. The thresholds are read off the installed NumPy's sampler, by handing it
doubles of our choice.
"""

import functools
import math
from typing import Any

import numpy as np

from .._typing import Array
from ..kernels.binomial import SHIFT

_INVERTED = 30  # n min(p, 1 - p), up to which NumPy inverts
_MOST = 127  # the largest x that a table has room for: NumPy's bound is 30 + 10 sqrt(31)
_TRIALS = 2**12  # random doubles that a table is checked with


class Table:
    """Thresholds between the values, ascending, and where to look for them.

    A double u with k thresholds up to u 2**53 gives values[k]; above the last one it gives none.
    """

    def __init__(self, values: Array, thresholds: Array) -> None:
        self.values = values
        self.thresholds = np.append(thresholds, 2**53)
        cells = np.arange(2**53, step=2**SHIFT)
        self.guide = np.searchsorted(thresholds, cells, side="right").astype(np.uint8)

    def hits(self) -> Array:
        """Zeros: one for each value, one for the doubles that give none, and a cache line or two to
        keep what another thread writes away."""
        return np.zeros(len(self.thresholds) + 16, np.int64)

    def add(self, hits: Array, counts: Array) -> int:
        """Add the hits to the counts of their values, and return how many gave none."""
        counts[self.values] += hits[: len(self.values)]
        return int(hits[len(self.values)])


@functools.lru_cache(maxsize=256)
def table(n: int, p: float) -> Table | None:
    """The table of NumPy's sampler for this distribution; None where it does not invert, or where
    the table is in doubt."""
    q = min(p, 1 - p)
    if n * q > _INVERTED or not n or not p:  # no draw takes a double where they are 0
        return None
    sampler = _Sampler(n, p)
    x = np.arange(min(n, _MOST) + 1)
    # of the doubles k 2**-53, those with k < low give at most x, those with k >= high more
    low, high = _near(n, q, x)
    if (sampler.given(low) > x).any() or (sampler.given(high) <= x)[high < 2**53].any():
        low, high = np.zeros_like(x), np.full_like(x, 2**53)
    while (low < high).any():
        middle = (low + high) // 2
        more = (sampler.given(middle) > x) | (middle == 2**53)
        low, high = np.where(more, low, middle + 1), np.where(more, middle, high)
    found = Table(n - x if p > 0.5 else x, high)
    return found if sampler.agrees_with(found) else None


def _near(n: int, q: float, x: Array) -> tuple[Array, Array]:
    """Bounds between which the thresholds are to be expected: about 2**53 P(X <= x)."""
    with np.errstate(under="ignore"):
        ratios = (n - x[:-1]) / x[1:] * (q / (1 - q))
        near = np.cumsum(math.exp(n * math.log1p(-q)) * np.cumprod(np.append(1, ratios))) * 2**53
    near = np.minimum(near, 2**53).astype(np.int64)
    return np.maximum(near - 2**12, 0), np.minimum(near + 2**12, 2**53)


class _Sampler:
    """NumPy's own sampler, and a Mersenne Twister whose state makes it give any doubles."""

    def __init__(self, n: int, p: float) -> None:
        self._n, self._p = n, p
        self._bits = np.random.MT19937(0)
        self._rng = np.random.Generator(self._bits)

    def given(self, k: Array) -> Array:
        """The draws x of the doubles k 2**-53, at most 128 of them; 2**53 for those that are
        dropped."""
        # ascending: the dropped ones come last, and as many of the zeros behind are taken, before
        # the halves
        order = np.argsort(k, kind="stable")
        doubles = np.full(312, 2**52)
        doubles[: 2 * len(k)] = np.append(np.minimum(k[order], 2**53 - 1), 0 * k)
        state: Any = {"key": _untempered(doubles), "pos": 0}
        self._bits.state = {"bit_generator": "MT19937", "state": state}
        values = self._rng.binomial(self._n, self._p, len(k))
        dropped = np.count_nonzero(self._rng.random(len(k)))
        x = np.empty_like(k)
        x[order] = self._n - values if self._p > 0.5 else values
        x[order[len(k) - dropped :]] = 2**53
        return x

    def agrees_with(self, table: Table) -> bool:
        """Whether the table has the sampler's values for the doubles at the thresholds and below
        them, and for random ones, and each of them takes one double."""
        thresholds = table.thresholds[:-1]
        x = np.arange(len(thresholds))
        above = (self.given(thresholds) > x) | (thresholds == 2**53)
        if not (above & (self.given(thresholds - 1) <= x)).all():
            return False
        ours, theirs = (np.random.Generator(np.random.MT19937(5)) for _ in range(2))
        found = np.searchsorted(table.thresholds[:-1], ours.random(_TRIALS) * 2**53, side="right")
        values = np.append(table.values, -1)[found]
        return np.array_equal(values, theirs.binomial(self._n, self._p, _TRIALS)) and (
            ours.bit_generator.random_raw(2).tolist() == theirs.bit_generator.random_raw(2).tolist()
        )


def _untempered(doubles: Array) -> list[int]:
    """The words of a Mersenne Twister's state that it makes the doubles k 2**-53 of."""
    # 27 bits and 26, each the upper ones of a word
    words = np.stack([doubles >> 26 << 5, (doubles & (2**26 - 1)) << 6], axis=1)
    y: Array = words.reshape(-1).astype(np.uint32)
    # the steps of its output function undone, from the last to the first
    y ^= y >> 18
    y ^= (y << 15) & 0xEFC60000
    x = y
    for _ in range(4):
        x = y ^ ((x << 7) & 0x9D2C5680)
    y = x
    for _ in range(2):
        x = y ^ (x >> 11)
    state: list[int] = x.tolist()  # NumPy reads them in a fiftieth of the time of an array
    return state
