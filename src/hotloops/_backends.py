"""(subject, backend) → the module that implements it, by the names of the files."""

import functools
import importlib
import os

from ._warnings import warn

NAMES = ("cython", "numba", "numpy")

_default = None
_modules = {}
_errors = {}


def _check(name, source):
    if name not in NAMES:
        expected = ", ".join(map(repr, NAMES))
        raise ValueError(f"{source} must be one of {expected}, got {name!r}")
    return name


class set_backend:
    """Set the backend that calls use which do not name one.

    Parameters
    ----------
    backend : {"cython", "numba", "numpy"} or None
        None is the default: the environment variable HOTLOOPS_BACKEND, else "cython", else the
        next that imports here, with a RuntimeWarning.

    As a context manager it puts the previous setting back at the end. The setting is one for the
    whole process.

    Examples
    --------
    >>> import hotloops as hl
    >>> with hl.set_backend("numpy"):
    ...     q = hl.quadform([[0.0], [2.0]])
    >>> q
    array([[0., 4.],
           [4., 0.]])
    """

    def __init__(self, backend):
        global _default
        checked = None if backend is None else _check(backend, "backend")
        self._previous, _default = _default, checked

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        global _default
        _default = self._previous


def load(subject, backend):
    """The module of this backend; ImportError with the reason where there is none."""
    key = subject, backend
    if key not in _modules:
        if key in _errors:
            raise ImportError(_errors[key])
        try:
            _modules[key] = importlib.import_module(f"hotloops.kernels.{subject}._{backend}")
        except Exception as error:  # a changed ABI raises TypeError or ValueError
            _errors[key] = (
                f"backend {backend!r} of {subject} does not import: {type(error).__name__}: "
                f"{error}. Where NumPy or SciPy changed since hotloops was built, "
                f"reinstall hotloops"
            )
            raise ImportError(_errors[key]) from error
    return _modules[key]


def _first(subject):
    """The first backend that imports."""
    reasons = []
    for name in NAMES:
        try:
            module = load(subject, name)
        except ImportError as error:
            reasons.append(str(error))
            continue
        if reasons:
            warn(f"hotloops uses {name}: {'; '.join(reasons)}", RuntimeWarning)
        return module
    raise ImportError("; ".join(reasons))


@functools.cache
def _environment_backend():
    return os.environ.get("HOTLOOPS_BACKEND")


def kernel(subject, backend=None):
    """The module that a call with `backend=backend` runs."""
    if backend is None:
        backend = _default or _environment_backend()
        if not backend:
            key = subject, None
            if key not in _modules:
                _modules[key] = _first(subject)
            return _modules[key]
        _check(backend, "the default backend (set_backend or HOTLOOPS_BACKEND)")
    else:
        _check(backend, "backend")
    return load(subject, backend)


def name(kernel):
    """The backend that this module is."""
    return kernel.__name__.rpartition("._")[2]
