"""What has no tiles: functions of LAPACK's, each a task on one thread."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from .._run import each
from .._run.guard import threads_blas

_Result = TypeVar("_Result")
_COMPLEX = np.dtype(np.complex128)


def serial(function: Callable[[], _Result], work: float) -> _Result:
    """What function() returns, by about so many multiplications, with BLAS on one thread: its
    result depends on no number of threads. Ctrl-C waits for it."""
    if not threads_blas(work, _COMPLEX):
        return function()
    found: list[_Result] = []
    each(lambda _: found.append(function()), 1, blas=True)
    return found[0]
