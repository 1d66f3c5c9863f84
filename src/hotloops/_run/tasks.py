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
    return name == other_name and all(
        x is None or y is None or (x[0] < y[1] and y[0] < x[1])
        for x, y in zip(box, other_box, strict=False)
    )


def _meet(some: list[Piece], others: list[Piece]) -> bool:
    return any(_overlap(x, y) for x in some for y in others)


def waits(steps: Sequence[Access]) -> list[list[int]]:
    """For each of the steps, which stand in their serial order, the places of those before it that
    it waits for: one of the two writes a piece that the other reads or writes."""
    return [
        [
            k
            for k, (read, written) in enumerate(steps[:place])
            if _meet(reads, written) or _meet(writes, read) or _meet(writes, written)
        ]
        for place, (reads, writes) in enumerate(steps)
    ]
