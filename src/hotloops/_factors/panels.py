"""The order in which a matrix is factored by panels of its columns."""

import itertools
from collections.abc import Iterator
from typing import TypeAlias

from .._run.tiles import Tile, grid

Task: TypeAlias = tuple[Tile | None, Tile]  # the columns that a panel updates, None for itself


def panels(n: int, width: int) -> list[Tile]:
    """The panels of n columns."""
    return grid((n,), (width,))


def tasks(n: int, width: int, wide: int) -> Iterator[Task]:
    """The tasks in a valid serial order, with one panel of look-ahead: a panel is made as soon as
    its own columns are up to date, before those behind it are, in tiles of up to `wide` columns."""
    every = panels(n, width)
    yield None, every[0]
    for panel, following in itertools.pairwise(every):
        yield following, panel
        yield None, following
        start, count = following[1], -(-(n - following[1]) // wide)
        for k in range(count):
            ends = (start + (n - start) * end // count for end in (k, k + 1))
            yield (*ends,), panel
