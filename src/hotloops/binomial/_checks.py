"""What may be asked of a binomial variable."""

import numpy as np

from .. import _arrays

_LARGEST = 2**28  # numbers of a result that is made without being asked for by `out`: 2 GiB


def probabilities(p):
    p = _arrays.real("p", p)
    if not p.ndim and 0 <= p.item() <= 1:  # in a tenth of the time
        return p
    inside = (p >= 0) & (p <= 1)
    if not inside.all():
        where = tuple(np.argwhere(~inside)[0].tolist())
        place = f" at index {where}" if where else ""
        raise ValueError(f"p must be in [0, 1], got {p[where]}{place}")
    return p


def trials(n, p, out, other):
    """n; `other`: what takes one for which the result would be very large."""
    n = _arrays.integer("n", n)
    largest = max(_LARGEST // max(1, p.size), 2) - 1
    if out is None and n > largest:
        raise ValueError(
            f"n must be <= {largest} without `out`, because the result has n + 1 numbers for each "
            f"of {p.size} p, got {n}: {other}"
        )
    return n
