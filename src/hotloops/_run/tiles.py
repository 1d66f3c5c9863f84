"""Which blocks: tiles of a grid that follow from its shape and from what an item costs."""

import functools
import itertools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeAlias, TypeVar, cast

Tile: TypeAlias = tuple[int, ...]  # start and stop on each axis, then numbers of the tile's own

_P = ParamSpec("_P")
_R = TypeVar("_R")

_SHORT = 100e3  # ns: some times what it costs to hand work to another thread
_LONG = 2.5e6  # ns: a block this long fills pages of its own

_memos: list[Any] = []


def by_shape(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The function with a memo of what it made lately: for one that makes steps or a `Form` of
    shapes and dtypes, and of nothing else."""
    memo = functools.lru_cache(maxsize=128)(function)
    _memos.append(memo)
    return cast(Callable[_P, _R], memo)


def forget() -> None:
    """Clear the memos, as is needed where the lengths of tiles change."""
    for memo in _memos:
        memo.cache_clear()


def is_short(time: float) -> bool:
    """Whether work of `time` ns is one block, which the caller runs."""
    return time < 1.5 * _SHORT


def _count(time: float) -> int:
    """How many blocks work of `time` ns makes: 16, unless they would be too short or too long."""
    if is_short(time):
        return 1
    return round(max(time / _LONG, min(time / _SHORT, 16)))


def split(length: int, cost: float) -> int:
    """Length of equal pieces of range(length), one item of which takes about `cost` ns."""
    count = _count(length * cost)
    return length if count == 1 else -(-length // min(length, count))


def square(length: int, cost: float, multiple: int) -> int:
    """Side of square tiles on and above the diagonal of (length, length), one item of which takes
    about `cost` ns: a multiple of `multiple` if there are several."""
    count = _count(length * length * cost / 2)
    if count == 1:
        return length
    side = -(-length // round(math.sqrt(2 * count)))
    return -(-side // multiple) * multiple


def grid(shape: Sequence[int], tile: Sequence[int], *, upper: bool = False) -> list[Tile]:
    """Bounds (start, stop for each axis) of the tiles of `shape`; `upper`: of a square grid the
    tiles on and above the diagonal."""
    if all(map(operator.ge, tile, shape)):
        return [tuple(end for length in shape for end in (0, length))]
    axes = [
        [(start, min(start + step, length)) for start in range(0, length, step)]
        for length, step in zip(shape, tile, strict=True)
    ]
    if upper:
        rows, columns = axes
        return [r + c for k, r in enumerate(rows) for c in columns[k:]]
    return [tuple(itertools.chain(*bounds)) for bounds in itertools.product(*axes)]


def rows(length: int, cost: float) -> list[Tile]:
    """`grid` of equal pieces of range(length), one item of which takes about `cost` ns."""
    if is_short(length * cost):
        return [(0, length)]
    return grid((length,), (split(length, cost),))
