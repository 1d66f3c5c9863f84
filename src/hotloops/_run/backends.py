"""The backends: objects that bring the compiled functions of the blocks.

This is the one file that knows their names, which are those of the files in a kernel's folder.
"""

import functools
import importlib
import importlib.metadata
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _arrays
from .._typing import Array
from .._warnings import warn
from .settings import Setter, Setting

if TYPE_CHECKING:
    from .call import Call

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
    #: Whether its blocks read any C-contiguous array as it is, so that `ready` has nothing to do.
    reads_any = True

    def __init__(
        self, name: str, load: Callable[[str], Any], dtypes: str = "?bBhHiIlLqQfdFD"
    ) -> None:
        self.name, self.dtypes, self._load = name, dtypes, load
        self._loaded: dict[str, Any] = {}
        self._blocks: dict[tuple[str, str, np.dtype[Any]], Callable[..., object]] = {}

    def load(self, subject: str) -> Any:
        """The object that has the block functions of this kernel; ImportError if there is none."""
        if subject not in self._loaded:
            try:
                self._loaded[subject] = self._load(subject)
            except ImportError as error:
                self._loaded[subject] = error
        found = self._loaded[subject]
        if isinstance(found, ImportError):
            raise ImportError(str(found)) from found
        return found

    def block(self, subject: str, name: str, dtype: np.dtype[Any]) -> Callable[..., object]:
        """The function of this block for numbers of this dtype."""
        key = subject, name, dtype
        function = self._blocks.get(key)
        if function is None:
            if dtype.char not in self.dtypes:
                raise TypeError(f"backend {self.name!r} does not compute with {dtype}")
            function = self._specialised(getattr(self.load(subject), name), dtype)
            self._blocks[key] = function
        return function

    def _specialised(
        self, function: Callable[..., object], dtype: np.dtype[Any]
    ) -> Callable[..., object]:
        """The function for numbers of this dtype, where a backend has one for each."""
        return function

    def ready(self, array: Array) -> Array:
        """An array that blocks read, as they take it: C-contiguous, aligned, in native order."""
        return _arrays.ready(array)

    @functools.cached_property
    def takes_calls(self) -> bool:
        """Whether it may carry out whole calls."""
        return type(self).run is not Backend.run

    def run(self, call: "Call", arrays: dict[str, Any]) -> bool:
        """Carry out a whole call on its arrays by name, and return True; or False to decline, and
        `run` goes on block by block."""
        return False


class _Cython(Backend):
    def _specialised(
        self, function: Callable[..., object], dtype: np.dtype[Any]
    ) -> Callable[..., object]:
        # a choice by types at each call takes microseconds
        signatures: dict[str | None, Callable[..., object]]
        signatures = getattr(function, "__signatures__", {})
        return signatures.get(_FUSED.get(dtype.char), function)


class _Numba(Backend):
    reads_any = False

    def ready(self, array: Array) -> Array:
        array = super().ready(array)
        # an array that may be written is another type than one that may not: one compilation
        if array.flags.writeable:
            array = array.view()
            array.flags.writeable = False
        return array


class _NumPy(Backend):
    compiled = False


def _import(name: str, subject: str) -> Any:
    """The module of this backend; ImportError with the reason where there is none."""
    try:
        return importlib.import_module(f"hotloops.kernels.{subject}._{name}")
    except Exception as error:  # a changed ABI raises TypeError or ValueError
        advice = ". Where NumPy or SciPy changed since hotloops was built, reinstall hotloops"
        raise ImportError(
            f"backend {name!r} of {subject} does not import: {type(error).__name__}: {error}"
            f"{'' if isinstance(error, OSError) else advice}"
        ) from error


_backends: dict[str, Backend] = {
    name: kind(name, functools.partial(_import, name))
    for name, kind in {"cython": _Cython, "numba": _Numba, "numpy": _NumPy}.items()
}
_defaults: dict[str, Backend] = {}  # subject -> the first backend that imports
_setting: Setting[str] = Setting("hotloops_backend")


def names() -> tuple[str, ...]:
    """The names that users may call backends by, the one to prefer first."""
    return (*_backends, *(name for name in _installed() if name not in _backends))


def add(backend: Backend) -> None:
    """Let users name this `Backend` too.

    A package that brings one need not call this: it can have an entry point of the group
    "hotloops.backends" that names the object, and is called as the backend is.
    """
    _backends[backend.name] = backend


@functools.cache
def _installed() -> dict[str, importlib.metadata.EntryPoint]:
    """The backends of other packages by name, which are imported when they are asked for."""
    points = importlib.metadata.entry_points(group="hotloops.backends")
    return {point.name: point for point in points}


def _imported(point: importlib.metadata.EntryPoint) -> Backend:
    """The backend of another package; ImportError with the reason where there is none."""
    of = f"backend {point.name!r} of the package {point.dist.name if point.dist else '?'}"
    try:
        backend = point.load()
    except Exception as error:
        raise ImportError(f"{of} does not import: {type(error).__name__}: {error}") from error
    if not isinstance(backend, Backend):
        raise ImportError(f"{of} must be a Backend, got {backend!r}")
    if backend.name != point.name:
        raise ImportError(f"{of} must be called as its entry point is, got {backend.name!r}")
    return backend


def _named(name: str, source: str = "backend") -> Backend:
    """The backend of this name."""
    if not isinstance(name, str) or name not in names():
        expected = ", ".join(map(repr, names()))
        raise ValueError(f"{source} must be one of {expected}, got {name!r}")
    if name not in _backends:
        add(_imported(_installed()[name]))
    return _backends[name]


class set_backend(Setter[str]):
    """Set the backend that calls use which do not name one.

    A call alone sets it for the whole process. In a ``with`` statement it sets it for the block,
    and as a decorator for each call of the function; the process keeps the backend it had.

    Parameters
    ----------
    backend : {"cython", "numba", "numpy"} or None
        None is the default: the environment variable HOTLOOPS_BACKEND as the first call finds it,
        else "cython", else the next that imports here, with a RuntimeWarning.

    See Also
    --------
    get_backend, set_workers

    Notes
    -----
    What a block sets holds for all calls from inside it, in the threads that hotloops starts for
    them and in asyncio tasks created there, and wins over the process's setting. Blocks of other
    threads and tasks do not see it. A thread that the user starts has the process's setting, unless
    it runs in a copy of the block's context, as in ``asyncio.to_thread`` or with
    ``threading.Thread(target=contextvars.copy_context().run, args=(function,))``; Python's
    free-threaded builds from 3.14 on copy it by themselves. A block in a generator holds for the
    generator's caller too while it is suspended. The setting exists from the call on, so another
    thread may see it in the instant between the call and the beginning of its block.

    Examples
    --------
    >>> import hotloops as hl
    >>> with hl.set_backend("numpy"):
    ...     q = hl.quadform([[0.0], [2.0]])
    >>> q
    array([[0., 4.],
           [4., 0.]])
    >>> @hl.set_backend("numpy")
    ... def backend_inside():
    ...     return hl.get_backend()
    >>> backend_inside()
    'numpy'
    """

    _setting = _setting

    def __init__(self, backend: str | None) -> None:
        super().__init__(None if backend is None else _named(backend).name)


def get_backend() -> str:
    """The backend that a call uses here which does not name one.

    Returns
    -------
    str
        "cython", "numba" or "numpy": what `set_backend` set for the block or the process, else the
        environment variable HOTLOOPS_BACKEND, else the first of them that imports.

    Raises
    ------
    ValueError
        Where HOTLOOPS_BACKEND is needed and names none of them.

    Examples
    --------
    >>> import hotloops as hl
    >>> with hl.set_backend("numba"):
    ...     hl.get_backend()
    'numba'
    """
    return _asked_for() or resolve(None, "ard").name  # one subject stands for all


@functools.cache
def _environment_backend() -> str | None:
    name = os.environ.get("HOTLOOPS_BACKEND")
    return _named(name, "the environment variable HOTLOOPS_BACKEND").name if name else None


def _asked_for() -> str | None:
    """The backend that set_backend or the environment names, if either does."""
    return _setting.get() or _environment_backend()


def _first(subject: str) -> Backend:
    """The first backend that has this subject."""
    reasons = []
    for backend in _backends.values():
        try:
            backend.load(subject)
        except ImportError as error:
            reasons.append(str(error))
            continue
        if reasons:
            warn(f"hotloops uses {backend.name}: {'; '.join(reasons)}", RuntimeWarning)
        return backend
    raise ImportError("; ".join(reasons))


def resolve(name: str | None, subject: str) -> Backend:
    """The backend that a call which names this one, or none, is carried out by."""
    if name is None:
        name = _setting.get() or _environment_backend()
        if name is None:
            backend = _defaults.get(subject)
            if backend is None:
                backend = _defaults[subject] = _first(subject)
            return backend
    known = _backends.get(name) if isinstance(name, str) else None
    return known or _named(name)
