"""How Numba compiles every kernel."""

import contextlib
import hashlib
import os
import pathlib
import threading

import llvmlite
import numba
import numpy
import scipy

# fused multiply-adds may form and the sign of zero may be lost; nothing else is given up
_FLAGS = {"nogil": True, "fastmath": {"contract", "nsz"}, "error_model": "numpy"}
_lock = threading.Lock()


def _folder(root):
    # Helpers in another file are not part of Numba's cache key, so the folder's name is.
    digest = hashlib.sha256()
    for module in (numba, llvmlite, numpy, scipy):
        digest.update(f"{module.__name__} {module.__version__}\n".encode())
    for source in sorted(pathlib.Path(__file__).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    return pathlib.Path(root).expanduser().absolute() / f"hotloops-{digest.hexdigest()[:16]}"


@contextlib.contextmanager
def _cache_folder(root):
    # The folder is fixed when caching is enabled for a function: other code keeps its own.
    with _lock:
        previous, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(_folder(root))
        try:
            yield
        finally:
            numba.config.CACHE_DIR = previous


def jit(function, **options):
    """Compile `function` at its first call: no GIL, no threads, IEEE arithmetic.

    The machine code is kept between processes where HOTLOOPS_NUMBA_CACHE names a folder.
    """
    dispatcher = numba.njit(**(_FLAGS | options))(function)
    root = os.environ.get("HOTLOOPS_NUMBA_CACHE")
    if root:
        with _cache_folder(root):
            dispatcher.enable_caching()
    return dispatcher


def inlined(function):
    """The same for a function inlined whatever its size: a loop with a call is not vectorised."""
    return jit(function, forceinline=True)


def summed(function):
    """The same for a function that adds up, in whatever order is fast."""
    return jit(function, fastmath=_FLAGS["fastmath"] | {"reassoc"})
