"""Positive numbers that an optimizer seeks by their logarithms, within bounds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._typing import Array


def exp_within(theta: Array, held: ArrayLike, low: ArrayLike, high: ArrayLike) -> Array:
    """exp(theta), but of log(held) exactly `held`, and of what is from log(low) to log(high) a
    number from low to high, whatever rounding makes of exp and log."""
    logarithms = np.log(held), np.log(low), np.log(high)
    return exp_of(np.asarray(theta), (held, low, high), logarithms, True)


def exp_of(
    theta: Array, numbers: Sequence[Any], logarithms: Sequence[Array], where: Array | bool
) -> Array:
    """What `exp_within` gives, from (held, low, high) and their logarithms; an entry of theta that
    is not in `where` stays as it is."""
    held, low, high = numbers
    log_held, log_low, log_high = logarithms
    values = np.exp(theta, out=np.array(theta, np.float64), where=where)
    values = np.where(theta == log_held, held, values)
    inside = (log_low <= theta) & (theta <= log_high)
    found: Array = np.where(inside, np.minimum(np.maximum(values, low), high), values)
    return found
