"""The backends: objects that bring the compiled functions of the blocks.

This is the one file that knows their names, which are those of the files in a kernel's folder.
"""

import functools
import importlib

from .. import _arrays

# what Cython calls the types that it specialises a function for
_FUSED = {
    "f": "float", "d": "double", "F": "float complex", "D": "double complex",
    "B": "uint8_t", "H": "uint16_t", "I": "uint32_t", "L": "uint64_t", "Q": "uint64_t",
}  # fmt: skip


class Backend:
    """What `run` asks of a backend.

    Parameters
    ----------
    name : str
        What users call it.
    load : callable
        load(subject) → an object whose attributes are the block functions of that kernel; an
        ImportError says why there is none.
    dtypes : str
        The characters of the dtypes that its blocks compute with.
    """

    #: Whether its blocks are compiled, and so worth what they save Python.
    compiled = True

    def __init__(self, name, load, dtypes="?bBhHiIlLqQfdFD"):
        self.name, self._load, self.dtypes = name, load, dtypes
        self._blocks = {}

    def __reduce__(self):
        return _get, (self.name,)

    def block(self, subject, name, dtype):
        """The function of this block for numbers of this dtype."""
        key = subject, name, dtype.char
        function = self._blocks.get(key)
        if function is None:
            function = self._specialised(getattr(self._load(subject), name), dtype)
            self._blocks[key] = function
        return function

    def _specialised(self, function, dtype):
        return function

    def ready(self, array):
        """An array that blocks read as they take it: C-contiguous, aligned, in native order."""
        flags = array.flags
        if flags.c_contiguous and flags.aligned and array.dtype.isnative:
            return array
        return _arrays.ready(array)

    def run(self, call, arrays):
        """Carry out a whole call on its arrays by name, and return True; or False to decline, and
        `run` goes on block by block."""
        return False


class _Cython(Backend):
    def _specialised(self, function, dtype):
        # a choice by types at each call takes microseconds
        return getattr(function, "__signatures__", {}).get(_FUSED.get(dtype.char), function)


class _Numba(Backend):
    def ready(self, array):
        array = super().ready(array)
        # an array that may be written is another type than one that may not: one compilation
        if array.flags.writeable:
            array = array.view()
            array.flags.writeable = False
        return array


class _NumPy(Backend):
    compiled = False


def _import(name, subject):
    try:
        return importlib.import_module(f"hotloops.kernels.{subject}._{name}")
    except Exception as error:  # a changed ABI raises TypeError or ValueError
        raise ImportError(
            f"backend {name!r} of {subject} does not import: {type(error).__name__}: {error}. "
            f"Where NumPy or SciPy changed since hotloops was built, reinstall hotloops"
        ) from error


_backends = {
    name: kind(name, functools.partial(_import, name))
    for name, kind in {"cython": _Cython, "numba": _Numba, "numpy": _NumPy}.items()
}


def names():
    """What users may call a backend, the one to prefer first."""
    return tuple(_backends)


def add(backend):
    """Let users name this `Backend` too."""
    _backends[backend.name] = backend


def _get(name):
    return _backends[name]


def resolve(name, subject, dtype):
    """The backend of a call: the one named, else the default, else the first that imports."""
    if name is None:
        name = "cython"
    return _backends[name]
