"""BLAS on one thread, while blocks run side by side."""

import functools
import math
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np
import threadpoolctl

from .._warnings import warn

_SERIAL = {"f": 262144, "c": 32768}  # multiplications for which BLAS starts no threads
#: As how many multiplications an element of the solutions of triangular systems counts: BLAS starts
#: threads for 1024 of them, where each is real.
TRIANGULAR = 257


def threads_blas(multiplications: float, dtype: np.dtype[Any]) -> bool:
    """Whether BLAS starts threads of its own for a product of so many."""
    return multiplications > _SERIAL.get(dtype.kind, math.inf)


class _BlasGuard:
    """From a hold's `enter` to its `leave`, a thread's BLAS calls run on one thread.

    Most libraries have one setting for the process: the first in sets it, the last one out puts
    back what was there. OpenBLAS over OpenMP has one for each thread.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside: set[_Hold] = set()
        self.before: list[tuple[Any, int]] | None = None

    @functools.cached_property
    def libraries(self) -> tuple[list[Any], list[Any]]:
        """The BLAS libraries with one setting for the process, and those with one for each
        thread."""
        import scipy.linalg.cython_blas  # noqa: F401  the library that the kernels call

        libraries = threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers
        if not libraries:
            warn(
                "threadpoolctl finds no BLAS that it knows: the one that NumPy and SciPy call may "
                "start threads of its own beside the workers; its environment variable sets it to "
                "one (VECLIB_MAXIMUM_THREADS=1 for Accelerate)",
                RuntimeWarning,
            )
        own = [lib for lib in libraries if getattr(lib, "threading_layer", None) == "openmp"]
        return [lib for lib in libraries if lib not in own], own

    def hold(self) -> "_Hold":
        """A stay inside the guard, to be entered and left."""
        return _Hold(self)

    def after_fork(self) -> None:
        """Forget, in a child process, the threads that were inside: they did not come along."""
        self.lock = threading.Lock()
        self.inside.clear()
        if self.before is not None:
            _set_threads(self.before)
            self.before = None


class _Hold:
    """One stay inside the guard. A step that Ctrl-C cut short can be repeated."""

    def __init__(self, guard: _BlasGuard) -> None:
        self._guard = guard
        self._own_before: list[tuple[Any, int]] | None = None

    def enter(self) -> None:
        guard = self._guard
        with guard.lock:
            shared, own = guard.libraries
            guard.inside.add(self)
            if guard.before is None:
                guard.before = [(lib, lib.num_threads) for lib in shared]
            if self._own_before is None:
                self._own_before = [(lib, lib.num_threads) for lib in own]
            _set_threads((lib, 1) for lib in shared if lib.num_threads != 1)
            _set_threads((lib, 1) for lib in own)

    def leave(self) -> None:
        guard = self._guard
        with guard.lock:
            _set_threads(self._own_before or ())
            self._own_before = None
            guard.inside.discard(self)
            if not guard.inside and guard.before is not None:
                _set_threads(guard.before)
                guard.before = None


def _set_threads(settings: Iterable[tuple[Any, int]]) -> None:
    for library, threads in settings:
        # threadpoolctl >= 3.8 lets only the first thread that asks set OpenBLAS's number
        release = getattr(library, "clear_controlling_thread", lambda force: None)
        release(force=True)
        library.set_num_threads(threads)
        release(force=True)


blas_on_one_thread = _BlasGuard()
