"""What may be asked of a binomial variable."""

from typing import SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from .. import _arrays
from .._typing import Array

_LARGEST = 2**28  # numbers of a result that is made without being asked for by `out`: 2 GiB


def probabilities(p: ArrayLike) -> Array:
    """`p` as an array of real numbers in [0, 1]."""
    array = _arrays.real("p", p)
    if not array.ndim and 0 <= array.item() <= 1:  # in a tenth of the time
        return array
    inside = (array >= 0) & (array <= 1)
    if not inside.all():
        where = tuple(np.argwhere(~inside)[0].tolist())
        place = f" at index {where}" if where else ""
        raise ValueError(f"p must be in [0, 1], got {array[where]}{place}")
    return array


def trials(n: SupportsIndex, p: Array, out: Array | None, other: str) -> int:
    """`n` as an int, which must not make a new result very large; `other` names a function that
    takes any n."""
    n = _arrays.integer("n", n)
    largest = max(_LARGEST // max(1, p.size), 2) - 1
    if out is None and n > largest:
        raise ValueError(
            f"n must be <= {largest} without `out`, because the result has n + 1 numbers for each "
            f"of {p.size} p, got {n}: {other}"
        )
    return n
