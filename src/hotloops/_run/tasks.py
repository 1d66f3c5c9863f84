"""Which steps wait for which: it follows from what their lines read and write.

A piece of an array is (name, box); a box has (start, stop) for each axis, or None for all of it.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from .lines import Line
from .tiles import Tile

Box: TypeAlias = tuple[Tile | None, ...]
Piece: TypeAlias = tuple[str, Box]
Access: TypeAlias = tuple[list[Piece], list[Piece]]  # the pieces read, and those written
Cell: TypeAlias = tuple[int, ...]  # its place on each axis


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


class _Cells:
    """An array in cells, the smallest boxes that the edges of its pieces make; and of each cell the
    step that wrote it last, and those that have read it since."""

    def __init__(self, boxes: Iterable[Box]) -> None:
        edges: list[set[int]] = []
        for box in boxes:
            edges += [set() for _ in box[len(edges) :]]
            for axis, bounds in enumerate(box):
                edges[axis].update(bounds or ())
        self._places = [{edge: k for k, edge in enumerate(sorted(axis))} for axis in edges]
        self._writer: dict[Cell, int] = {}
        self._readers: dict[Cell, list[int]] = {}

    def of(self, box: Box) -> list[Cell]:
        """The cells of a box."""
        axes = itertools.zip_longest(self._places, box)
        return list(itertools.product(*itertools.starmap(_between, axes)))

    def met(self, cells: list[Cell], writes: bool) -> set[int]:
        """The steps that a step waits for which reads the cells, or writes them."""
        steps = {self._writer[cell] for cell in cells if cell in self._writer}
        if writes:
            steps.update(*(self._readers.get(cell, ()) for cell in cells))
        return steps

    def note(self, cells: list[Cell], writes: bool, step: int) -> None:
        """Have the step read the cells, or write them."""
        for cell in cells:
            if writes:
                self._writer[cell] = step
                self._readers.pop(cell, None)
            else:
                self._readers.setdefault(cell, []).append(step)


def _between(places: dict[int, int], bounds: Tile | None) -> range:
    """The cells of an axis between two edges; of all of it, and of what has no edge."""
    return range(places[bounds[0]], places[bounds[1]]) if bounds else range(len(places) + 1)


def waits(steps: Sequence[Access]) -> list[list[int]]:
    """For each of the steps, which stand in their serial order, the places of those before it that
    it waits for: one of the two writes a piece that the other reads or writes. Left out are those
    that others of them wait for."""
    boxes: dict[str, set[Box]] = {}
    for name, box in (piece for access in steps for some in access for piece in some):
        boxes.setdefault(name, set()).add(box)
    arrays = {name: _Cells(some) for name, some in boxes.items()}
    found: list[list[int]] = []
    before: list[int] = []  # all that a step waits for, also by way of others: a bit for each
    for place, access in enumerate(steps):
        touched = [
            (arrays[name], arrays[name].of(box), writes)
            for writes, some in zip((False, True), access, strict=True)
            for name, box in some
        ]
        direct, all_of_them = [], 0
        for k in sorted(
            set().union(*(array.met(cells, writes) for array, cells, writes in touched)),
            reverse=True,
        ):
            if not all_of_them >> k & 1:
                direct.append(k)
                all_of_them |= before[k] | 1 << k
        for array, cells, writes in touched:
            array.note(cells, writes, place)
        found.append(direct)
        before.append(all_of_them)
    return found
