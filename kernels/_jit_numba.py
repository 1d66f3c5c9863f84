"""How Numba compiles every kernel."""

import contextlib
import functools
import hashlib
import os
import pathlib
import tempfile
import threading

import llvmlite
import numba
import numpy
import scipy

# fused multiply-adds may form and the sign of zero may be lost; nothing else is given up
_FLAGS = {"nogil": True, "fastmath": {"contract", "nsz"}, "error_model": "numpy"}
_lock = threading.Lock()


@functools.cache
def _digest():
    # Helpers in another file are not part of Numba's cache key, so the folder's name is.
    digest = hashlib.sha256()
    for module in (numba, llvmlite, numpy, scipy):
        digest.update(f"{module.__name__} {module.__version__}\n".encode())
    for source in sorted(pathlib.Path(__file__).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def _folder(root):
    """The folder for these sources and versions, which Numba can write."""
    try:
        folder = pathlib.Path(root).expanduser().absolute() / f"hotloops-{_digest()}"
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, RuntimeError) as error:  # RuntimeError: ~ without a home
        raise OSError(
            f"the environment variable HOTLOOPS_NUMBA_CACHE must name a folder that can be "
            f"written, got {root!r}: {error}"
        ) from error
    return folder


@contextlib.contextmanager
def _cache_folder(folder):
    # The folder is fixed when caching is enabled for a function: other code keeps its own.
    with _lock:
        previous, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(folder)
        try:
            yield
        finally:
            numba.config.CACHE_DIR = previous


def _keep(dispatcher, root):
    """Keep the function's machine code below `root`, and nowhere else."""
    folder = _folder(root)
    with _cache_folder(folder):
        dispatcher.enable_caching()
    # Numba looks for another place without a word where it cannot use this one, and a place
    # whose name does not tell the sources apart gives the code of old ones.
    place = dispatcher.stats.cache_path
    if folder not in pathlib.Path(place).parents:
        raise OSError(
            f"Numba keeps its code in {place!r}, not in the folder that the environment variable "
            f"HOTLOOPS_NUMBA_CACHE names, {root!r}: unset NUMBA_CACHE_LOCATOR_CLASSES, or "
            f"HOTLOOPS_NUMBA_CACHE"
        )


def _is_block(function):
    """Whether Python calls it. What compiled code alone calls needs no way in from elsewhere, which
    takes a quarter of the time to compile; Python must not call it."""
    return function.__module__.endswith("._numba") and not function.__name__.startswith("_")


def jit(function, **options):
    """Compile `function` at its first call: no GIL, no threads, IEEE arithmetic.

    The machine code is kept between processes where HOTLOOPS_NUMBA_CACHE names a folder.
    """
    if numba.config.DISABLE_JIT:
        raise OSError("the environment variable NUMBA_DISABLE_JIT must not be set: uncompiled, "
                      "the kernels would not run")  # fmt: skip
    wrappers = {"no_cpython_wrapper": not _is_block(function), "no_cfunc_wrapper": True}
    dispatcher = numba.njit(**(_FLAGS | wrappers | options))(function)
    if root := os.environ.get("HOTLOOPS_NUMBA_CACHE"):
        _keep(dispatcher, root)
    return dispatcher


def entry(function):
    """The same for a function that is no block, and that a block written in Python calls."""
    return jit(function, no_cpython_wrapper=False)


def inlined(function):
    """The same for a function inlined whatever its size: a loop with a call is not vectorised."""
    return jit(function, forceinline=True)


def summed(function):
    """The same for a function that adds up, in whatever order is fast."""
    return jit(function, fastmath=_FLAGS["fastmath"] | {"reassoc"})
