"""Counts of the draws that NumPy's own sampler makes, without the draws.

Where n min(p, 1 - p) is at most 30, ``Generator.binomial`` inverts the distribution function: a
draw x is found from one double u, by subtracting probabilities from it. Rounding keeps the order,
so x rises with u, whatever the formula and the compiler; above a last threshold u is dropped, and
the next one taken. The thresholds are read off the installed NumPy's sampler, by handing it
doubles of our choice; then counting draws is sorting doubles between thresholds.
"""

import functools
import math
import threading
import types

import numpy as np

from ._run import Call, Output, Step, each, resolve, run, stopped, tiles
from .kernels.binomial import SHIFT

_CHUNK = 2**14  # draws of NumPy's held at a time
_CALL = 2**23  # draws of a call of the kernel, between which Ctrl-C is heard
_BLOCK = 2**17  # draws at least of a block: half a millisecond with a table, some ten without
_COST = 4  # ns of a draw with a table
_TABLE = 4e6  # ns that a table takes
_DRAW, _TRIAL = 15, 6  # ns of NumPy's draw beyond _COST, and of each of its n min(p, 1 - p) trials
_TRIALS = 2**12  # random doubles that a table is checked with
_INVERTED = 30  # n min(p, 1 - p), up to which NumPy inverts
_MOST = 127  # the largest x that a table has room for: NumPy's bound is 30 + 10 sqrt(31)

# NumPy's own: their doubles are multiples of 2**-53
_KNOWN = (
    np.random.MT19937,
    np.random.PCG64,
    np.random.PCG64DXSM,
    np.random.Philox,
    np.random.SFC64,
)
_ADVANCE = (np.random.PCG64, np.random.PCG64DXSM, np.random.Philox)


def fill(n, p, draws, rng, backend, workers, counts):
    """counts (len(p), n + 1) of `draws` draws for each p, as rng.binomial would make them."""
    if _has_its_own(rng):
        for row, q in zip(counts, p.tolist(), strict=True):
            row[...] = np.bincount(rng.binomial(n, q, draws), minlength=n + 1)
        return
    bits = rng.bit_generator
    # the same stream without the lock, which is held for the whole call
    unlocked = types.SimpleNamespace(capsule=bits.capsule, lock=threading.Lock())
    generator = np.random.Generator(unlocked)
    apart = workers > 1 and type(bits) in _ADVANCE and draws > _BLOCK
    several = _CHUNK // (draws + n)  # p, whose draws are held together
    with bits.lock:
        if several > 1 and len(p) > 1:
            _in_turn(_draw_each, tiles.grid(p.shape, (several,)), n, p, draws, generator, counts)
            return
        for row, q in zip(counts, p.tolist(), strict=True):
            row[...] = 0
            table = _table_for(n, q, draws, bits, backend)
            if table is not None and apart:
                _at_once(table, draws, bits, backend, workers, row)
                continue
            bounds = tiles.grid((draws,), (_block(draws),))
            if table is None:
                _in_turn(_draw, bounds, n, q, generator, row)
            else:
                _in_turn(_count, bounds, table, bits, backend, row)


def _has_its_own(rng):
    """Whether the method is not NumPy's: of a class that inherits, or of one object."""
    inherited = type(rng).binomial is np.random.Generator.binomial
    return not inherited or "binomial" in getattr(rng, "__dict__", ())


def _table_for(n, p, draws, bits, backend):
    """The table that these draws are made with; None where NumPy makes them."""
    if type(bits) not in _KNOWN or not resolve(backend, "binomial").compiled:
        return None
    spent = _spent(n, p)
    spent[0] += draws * (_DRAW + _TRIAL * n * min(p, 1 - p))
    return table(n, p) if spent[0] >= _TABLE else None


@functools.lru_cache(maxsize=256)
def _spent(n, p):
    """ns that a table would have saved so far. As many as it takes are reason enough to make one:
    whatever is still to come, no more than twice the least time will have been spent."""
    return [0.0]


def _block(draws):
    # no more than a thousand: their bounds are made beforehand
    return max(_BLOCK, -(-draws // 1000))


# --- one thread, in the order of the stream -------------------------------------------------


def _in_turn(task, bounds, *args):
    each(lambda k: task(*bounds[k], *args), len(bounds), 1)


def _draw(start, stop, n, p, generator, counts):
    for a in range(start, stop, _CHUNK):
        values = generator.binomial(n, p, min(_CHUNK, stop - a))
        if n < _CHUNK:
            counts += np.bincount(values, minlength=n + 1)
        else:
            np.add.at(counts, values, 1)


def _draw_each(start, stop, n, p, draws, generator, counts):
    # in the order of the stream: all draws of the first p, then those of the next
    values = generator.binomial(n, p[start:stop, None], (stop - start, draws))
    values += np.arange(stop - start)[:, None] * (n + 1)
    found = np.bincount(values.reshape(-1), minlength=(stop - start) * (n + 1))
    counts[start:stop] = found.reshape(stop - start, n + 1)


def _count(start, stop, table, bits, backend, counts):
    left = stop - start
    while left:
        left = table.add(_sort(left, bits, backend, table), counts)


def _sort(draws, bits, backend, table):
    """How many of the next doubles belong to each of the table's values; the last of the counts is
    of those that give none."""
    hits = table.hits()
    for start in range(0, draws, _CALL):
        if stopped():
            break
        call = Call(
            "binomial",
            table.thresholds.dtype,
            {
                "bit_generator": bits,
                "words": _has_words(type(bits)),
                "guide": table.guide,
                "thresholds": table.thresholds,
                "hits": Output(hits.shape, hits.dtype),
            },
            [Step("count", [(start, min(start + _CALL, draws))])],
            ("hits",),
        )
        hits += run(call, backend, 1)
    return hits


@functools.cache
def _has_words(kind):
    """Whether the doubles of these bit generators are the upper 53 bits of their words."""
    doubles, words = np.random.Generator(kind(0)).random(64), kind(0).random_raw(64)
    return np.array_equal(doubles * 2**53, words >> 11)


# --- workers, each at its own place of the stream -------------------------------------------


def _at_once(table, draws, bits, backend, workers, counts):
    adding = threading.Lock()
    while draws:
        bounds = tiles.grid((draws,), (max(_block(draws), tiles.split(draws, _COST)),))
        # the state is read here: another thread that asks for it may have to wait for the lock
        kind, state, hits = type(bits), bits.state, table.hits()

        def count(k, kind=kind, state=state, bounds=bounds, hits=hits):
            start, stop = bounds[k]
            its = _sort(stop - start, _ahead(kind, state, start), backend, table)
            with adding:
                hits += its

        each(count, len(bounds), workers)
        _skip(bits, draws)
        draws = table.add(hits, counts)  # what was dropped is drawn anew


def _ahead(kind, state, doubles):
    """A bit generator that has made so many doubles since this state."""
    copy = kind(0)
    copy.state = state
    if kind is np.random.Philox:
        # Four doubles are made at a time; the last of them stay in the state, so they are drawn.
        held = 4 - state["buffer_pos"]
        steps = max(0, (doubles - held - 1) // 4)
        if steps:
            copy.advance(steps)
            doubles -= held + 4 * steps
        copy.random_raw(doubles, output=False)
    else:
        copy.advance(doubles)
    return copy


def _skip(bits, doubles):
    state = bits.state
    # half of 64 bits, kept for draws of 32, is none of the doubles' business
    kept = {key: state[key] for key in ("has_uint32", "uinteger")}
    bits.state = _ahead(type(bits), state, doubles).state | kept


# --- what NumPy's sampler does with a double ------------------------------------------------


class _Table:
    """Thresholds between the values, ascending, and where to look for them.

    A double u with k thresholds up to u 2**53 gives values[k]; above the last one it gives none.
    """

    def __init__(self, values, thresholds):
        self.values = values
        self.thresholds = np.append(thresholds, 2**53)
        cells = np.arange(2**53, step=2**SHIFT)
        self.guide = np.searchsorted(thresholds, cells, side="right").astype(np.uint8)

    def hits(self):
        """Zeros, one for each value, one for what gives none, and the width of a cache line or two
        to what another thread writes."""
        return np.zeros(len(self.thresholds) + 16, np.int64)

    def add(self, hits, counts):
        """Add the hits to the counts of their values; how many gave none."""
        counts[self.values] += hits[: len(self.values)]
        return int(hits[len(self.values)])


@functools.lru_cache(maxsize=256)
def table(n, p):
    """The table of NumPy's sampler for these; None where it does not invert, or is in doubt."""
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
    found = _Table(n - x if p > 0.5 else x, high)
    return found if sampler.agrees_with(found) else None


def _near(n, q, x):
    """Where the thresholds are to be expected: about 2**53 P(X <= x)."""
    with np.errstate(under="ignore"):
        ratios = (n - x[:-1]) / x[1:] * (q / (1 - q))
        near = np.cumsum(math.exp(n * math.log1p(-q)) * np.cumprod(np.append(1, ratios))) * 2**53
    near = np.minimum(near, 2**53).astype(np.int64)
    return np.maximum(near - 2**12, 0), np.minimum(near + 2**12, 2**53)


class _Sampler:
    """NumPy's own, and a Mersenne Twister whose state makes it give any doubles."""

    def __init__(self, n, p):
        self._n, self._p = n, p
        self._bits = np.random.MT19937(0)
        self._rng = np.random.Generator(self._bits)

    def given(self, k):
        """x of the doubles k 2**-53, at most 128; 2**53 of those that are dropped."""
        # ascending: the dropped ones come last, and as many of the zeros behind are taken, before
        # the halves
        order = np.argsort(k, kind="stable")
        doubles = np.full(312, 2**52)
        doubles[: 2 * len(k)] = np.append(np.minimum(k[order], 2**53 - 1), 0 * k)
        state = {"key": _untempered(doubles), "pos": 0}
        self._bits.state = {"bit_generator": "MT19937", "state": state}
        values = self._rng.binomial(self._n, self._p, len(k))
        dropped = np.count_nonzero(self._rng.random(len(k)))
        x = np.empty_like(k)
        x[order] = self._n - values if self._p > 0.5 else values
        x[order[len(k) - dropped :]] = 2**53
        return x

    def agrees_with(self, table):
        """Whether the doubles at the thresholds and below them, and random ones, give the same
        values, one double each."""
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


def _untempered(doubles):
    """The words of a Mersenne Twister's state that it makes the doubles k 2**-53 of."""
    # 27 bits and 26, each the upper ones of a word
    words = np.stack([doubles >> 26 << 5, (doubles & (2**26 - 1)) << 6], axis=1)
    y = words.reshape(-1).astype(np.uint32)
    # the steps of its output function undone, from the last to the first
    y ^= y >> 18
    y ^= (y << 15) & 0xEFC60000
    x = y
    for _ in range(4):
        x = y ^ ((x << 7) & 0x9D2C5680)
    y = x
    for _ in range(2):
        x = y ^ (x >> 11)
    return x.tolist()  # which NumPy reads in a fiftieth of the time of an array
