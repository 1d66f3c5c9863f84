"""Counts of the draws that NumPy's own sampler makes, without the draws.

Where a table says which draw a double gives, counting draws is sorting doubles between thresholds;
elsewhere NumPy makes some draws at a time. Either takes exactly the doubles that NumPy would.
"""

import functools
import math
import threading
import types
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from .._run import Call, Output, Step, each, kept, resolve, run, stopped, tiles
from .._typing import Array
from . import _sampler

_Bits: TypeAlias = Any  # a bit generator: a NumPy one, or whatever a Generator takes for one

_CHUNK = 2**14  # draws of NumPy's held at a time
_CALL = 2**23  # draws of a call of the kernel, between which Ctrl-C is heard
_BLOCK = 2**17  # draws at least of a block: half a millisecond with a table, some ten without
_COST = 4  # ns of a draw with a table
_TABLE = 4e6  # ns that a table takes
_PROBE = 2**13  # draws that say how many doubles one takes
_SHARE = 0.97  # of the draws that are made at once, in case that they take fewer doubles
_DRAW, _TRIAL = 15, 6  # ns of NumPy's draw beyond _COST, and of each of its n min(p, 1 - p) trials

# NumPy's own: their doubles are multiples of 2**-53
_KNOWN = (
    np.random.MT19937,
    np.random.PCG64,
    np.random.PCG64DXSM,
    np.random.Philox,
    np.random.SFC64,
)
# half of 64 bits, kept for draws of 32, is none of the doubles' business
_HALF = ("has_uint32", "uinteger")
_ADVANCE = (np.random.PCG64, np.random.PCG64DXSM, np.random.Philox)


def count_draws(
    n: int,
    p: Array,
    draws: int,
    rng: np.random.Generator,
    backend: str | None,
    workers: int | None,
    counts: Array,
) -> None:
    """Write into counts (len(p), n + 1) those of the `draws` draws that rng.binomial would make for
    each p."""
    name, count = kept("binomial", backend, workers)
    if not (counts.size and draws):
        counts[...] = 0
    elif _has_its_own(rng):
        for row, q in zip(counts, p.tolist(), strict=True):
            row[...] = np.bincount(rng.binomial(n, q, draws), minlength=n + 1)
    else:
        with rng.bit_generator.lock:
            _count_all(n, p, draws, rng.bit_generator, name, count, counts)


def _has_its_own(rng: np.random.Generator) -> bool:
    """Whether the method is not NumPy's: of a class that inherits, or of one object."""
    inherited = type(rng).binomial is np.random.Generator.binomial
    return not inherited or "binomial" in getattr(rng, "__dict__", ())


def _count_all(
    n: int, p: Array, draws: int, bits: _Bits, backend: str, workers: int, counts: Array
) -> None:
    """Count the draws of one p after another, with the bit generator's lock held by the caller."""
    # the same stream without the lock
    unlocked: Any = types.SimpleNamespace(capsule=bits.capsule, lock=threading.Lock())
    generator = np.random.Generator(unlocked)
    several = _CHUNK // (draws + n)  # p, whose draws are held together
    if several > 1 and len(p) > 1:
        _in_turn(_draw_each, tiles.grid(p.shape, (several,)), n, p, draws, generator, counts)
        return
    apart = workers > 1 and type(bits) in _ADVANCE and draws > _BLOCK
    apart = apart and resolve(backend, "binomial").compiled
    for row, q in zip(counts, p.tolist(), strict=True):
        row[...] = 0
        table = _table_for(n, q, draws, bits, backend)
        if table is not None and apart:
            _count_at_once(table, draws, bits, backend, workers, row)
        elif table is not None:
            bounds = tiles.grid((draws,), (_block(draws),))
            _in_turn(_count, bounds, table, bits, backend, row)
        else:
            left = _draw_at_once(n, q, draws, bits, workers, row) if apart else draws
            bounds = tiles.grid((left,), (_block(left),))
            _in_turn(_draw, bounds, n, q, generator, row)


def _table_for(n: int, p: float, draws: int, bits: _Bits, backend: str) -> _sampler.Table | None:
    """The table that these draws are made with; None where NumPy makes them."""
    if type(bits) not in _KNOWN or not resolve(backend, "binomial").compiled:
        return None
    spent = _spent(n, p)
    spent[0] += draws * (_DRAW + _TRIAL * n * min(p, 1 - p))
    return _sampler.table(n, p) if spent[0] >= _TABLE else None


@functools.lru_cache(maxsize=256)
def _spent(n: int, p: float) -> list[float]:
    """The ns that a table would have saved so far. As many as it takes are reason enough to make
    one: whatever is still to come, no more than twice the least time will have been spent."""
    return [0.0]


def _block(draws: int) -> int:
    """The draws of a block: so many that there are no more than a thousand blocks, whose bounds are
    made beforehand."""
    return max(_BLOCK, -(-draws // 1000))


# --- one thread, in the order of the stream -------------------------------------------------


def _in_turn(task: Callable[..., None], bounds: list[tuple[int, ...]], *args: Any) -> None:
    each(lambda k: task(*bounds[k], *args), len(bounds), 1)


def _draw(
    start: int, stop: int, n: int, p: float, generator: np.random.Generator, counts: Array
) -> None:
    """Add the counts of draws that NumPy makes, some at a time."""
    for a in range(start, stop, _CHUNK):
        _add(generator.binomial(n, p, min(_CHUNK, stop - a)), counts)


def _add(values: Array, counts: Array) -> None:
    """Add the counts of these draws."""
    if len(counts) <= _CHUNK:
        counts += np.bincount(values, minlength=len(counts))
    else:
        np.add.at(counts, values, 1)


def _draw_each(
    start: int,
    stop: int,
    n: int,
    p: Array,
    draws: int,
    generator: np.random.Generator,
    counts: Array,
) -> None:
    """Write the counts of all draws of p[start], then of those of the next p, as far as p[stop]."""
    values = generator.binomial(n, p[start:stop, None], (stop - start, draws))
    values += np.arange(stop - start)[:, None] * (n + 1)
    found = np.bincount(values.reshape(-1), minlength=(stop - start) * (n + 1))
    counts[start:stop] = found.reshape(stop - start, n + 1)


def _count(
    start: int, stop: int, table: _sampler.Table, bits: _Bits, backend: str, counts: Array
) -> None:
    """Add the counts of as many draws, whatever doubles NumPy would drop among them."""
    left = stop - start
    while left:
        left = table.add(_sort(left, bits, backend, table), counts)


def _sort(draws: int, bits: _Bits, backend: str, table: _sampler.Table) -> Array:
    """How many of the next doubles belong to each of the table's values; the last of the counts is
    of those that give none."""
    kind: Any = type(bits)
    hits, words = table.hits(), _has_words(kind)
    for start in range(0, draws, _CALL):
        if stopped():
            break
        call = Call(
            "binomial",
            table.thresholds.dtype,
            {
                "bit_generator": bits,
                "words": words,
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
def _has_words(kind: Any) -> bool:
    """Whether the doubles of these bit generators are the upper 53 bits of their words."""
    doubles, words = np.random.Generator(kind(0)).random(64), kind(0).random_raw(64)
    return np.array_equal(doubles * 2**53, words >> 11)


# --- workers, each at its own place of the stream -------------------------------------------


def _count_at_once(
    table: _sampler.Table, draws: int, bits: _Bits, backend: str, workers: int, counts: Array
) -> None:
    """Add the counts of as many draws, by blocks that each send a copy of the bit generator to
    where their doubles begin."""
    adding = threading.Lock()
    while draws:
        bounds = tiles.grid((draws,), (max(_block(draws), tiles.split(draws, _COST)),))
        # the state is read here: another thread that asks for it may have to wait for the lock
        kind: Any = type(bits)
        state, hits = bits.state, table.hits()

        def count(
            k: int, kind: Any = kind, state: Any = state, bounds: Any = bounds, hits: Array = hits
        ) -> None:
            start, stop = bounds[k]
            its = _sort(stop - start, _ahead(kind, state, start), backend, table)
            with adding:
                hits += its

        each(count, len(bounds), workers)
        _skip(bits, draws)
        draws = table.add(hits, counts)  # what was dropped is drawn anew


def _ahead(kind: Any, state: Any, doubles: int) -> _Bits:
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


def _skip(bits: _Bits, doubles: int) -> None:
    """Send a bit generator ahead by so many doubles."""
    state = bits.state
    bits.state = _ahead(type(bits), state, doubles).state | {key: state[key] for key in _HALF}


# --- the same without a table ---------------------------------------------------------------


def _draw_at_once(n: int, p: float, draws: int, bits: _Bits, workers: int, counts: Array) -> int:
    """Add the counts of nearly all of as many draws, send the bit generator to where the others
    begin, and return how many these are.

    How many doubles a draw takes varies, so it is the stream that blocks share out. NumPy's
    rejection takes doubles in pairs until one is accepted, and what a pair gives depends on nothing
    before it: whoever begins at a pair ends his first draw where one of the stream's draws ends. A
    block goes from one such end to another. If a draw of its ever passes that one by, nothing is
    counted and all draws are left.
    """
    kind: Any = type(bits)
    state = bits.state
    probe = _ahead(kind, state, 0)
    np.random.Generator(probe).binomial(n, p, _PROBE)
    taken = _between(_ahead(kind, state, 0), probe.state) / _PROBE  # doubles by a draw
    blocks = -(-draws // _block(draws))
    pairs = int(_SHARE * draws * taken / blocks) // 2
    if not pairs:  # n or p is 0
        return draws
    starts = [_ahead(kind, state, 2 * pairs * k) for k in range(blocks + 1)]
    for start in starts[1:]:
        np.random.Generator(start).binomial(n, p)
    ends = [start.state for start in starts[1:]]
    hits, made, adding = np.zeros_like(counts), [0] * blocks, threading.Lock()

    def draw(k: int) -> None:
        made[k] = _draw_until(ends[k], starts[k], taken, n, p, hits, adding)

    each(draw, blocks, workers)
    if not all(made) or sum(made) > draws:
        return draws
    counts += hits
    bits.state = ends[-1] | {key: state[key] for key in _HALF}
    return draws - sum(made)


def _draw_until(
    end: Any, bits: _Bits, taken: float, n: int, p: float, hits: Array, adding: threading.Lock
) -> int:
    """Add the counts of the draws as far as this state and return how many they are; 0 if it is
    none of their ends. A draw takes about `taken` doubles."""
    generator, made = np.random.Generator(bits), 0
    while (doubles := _between(bits, end)) > 0:
        left = doubles / taken
        # so many that they hardly pass the end: their number varies by half its root
        draws = max(1, int(left - 3 * math.sqrt(left)))
        for start in range(0, draws, _CHUNK):
            if stopped():
                return 0
            values = generator.binomial(n, p, min(_CHUNK, draws - start))
            with adding:
                _add(values, hits)
        made += draws
    return 0 if doubles else made


def _between(bits: _Bits, end: Any) -> int:
    """How many doubles after the bit generator's this state is, up to 2**50; negative if it is
    not."""
    kind: Any = type(bits)
    if kind is np.random.Philox:
        return _place(end) - _place(bits.state)
    number, last = bits.state["state"]["state"], end["state"]["state"]
    # a step is number -> factor number + term; so are two, four, … of them, which change no bits
    # lower than the one of their count
    factor, term, steps, found = _factor(kind), end["state"]["inc"], 1, 0
    while number != last and steps < 2**50:
        if (number ^ last) & steps:
            number = (factor * number + term) % 2**128
            found += steps
        factor, term, steps = factor * factor % 2**128, (factor + 1) * term % 2**128, 2 * steps
    return found if number == last else -1


@functools.cache
def _factor(kind: Any) -> int:
    """What a step of these congruential generators multiplies by."""
    bits = kind(0)
    bits.state = bits.state | {"state": {"state": 1, "inc": 0}}
    bits.random_raw()
    return int(bits.state["state"]["state"])


def _place(state: Any) -> int:
    """The number of the double that a Philox generator makes next."""
    counter = sum(int(word) << 64 * k for k, word in enumerate(state["state"]["counter"]))
    return 4 * counter + int(state["buffer_pos"])
