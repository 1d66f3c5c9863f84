"""Which steps wait for which: it follows from what their lines read and write.

A piece of an array is (name, box); a box has (start, stop) for each axis, or None for all of it.
"""

from collections.abc import Sequence
from typing import TypeAlias

from .lines import Line
from .tiles import Tile

Piece: TypeAlias = tuple[str, tuple[Tile | None, ...]]
Access: TypeAlias = tuple[list[Piece], list[Piece]]  # the pieces read, and those written


def pieces(line: Line, names: Sequence[str], bounds: Tile) -> Access:
    """The pieces of the arrays `names` that a block reads, and those that it writes, within these
    bounds."""
    reads: list[Piece] = []
    writes: list[Piece] = []
    for place, (argument, name) in enumerate(zip(line.arguments, names, strict=True)):
        for letters in argument.letters or ("",):
            cuts = (2 * line.axes.index(x) if x in line.axes else None for x in letters)
            piece = name, tuple(None if k is None else bounds[k : k + 2] for k in cuts)
            if place >= line.count:
                writes.append(piece)
            if place < line.count or argument.mark:
                reads.append(piece)
    return reads, writes


def _overlap(one: Piece, other: Piece) -> bool:
    (name, box), (other_name, other_box) = one, other
    if name != other_name:
        return False
    for x, y in zip(box, other_box, strict=False):
        if x is not None and y is not None and (x[0] >= y[1] or y[0] >= x[1]):
            return False
    return True


def _meet(some: list[Piece], others: list[Piece]) -> bool:
    for x in some:
        for y in others:
            if _overlap(x, y):
                return True
    return False


def waits(steps: Sequence[Access]) -> list[list[int]]:
    """For each of the steps, which stand in their serial order, the places of those before it that
    it waits for: one of the two writes a piece that the other reads or writes. Left out are those
    that others of them wait for."""
    found: list[list[int]] = []
    before: list[int] = []  # all that a step waits for, also by way of others: a bit for each
    for place, (reads, writes) in enumerate(steps):
        direct, all_of_them = [], 0
        for k in range(place - 1, -1, -1):
            if all_of_them >> k & 1:
                continue
            read, written = steps[k]
            if _meet(reads, written) or _meet(writes, read) or _meet(writes, written):
                direct.append(k)
                all_of_them |= before[k] | 1 << k
        found.append(direct)
        before.append(all_of_them)
    return found
