"""(subject, backend) → the module that implements it, by the names of the files."""

import functools
import importlib
import os

from ._settings import Setter, Setting
from ._warnings import warn

NAMES = ("cython", "numba", "numpy")

_setting = Setting("hotloops_backend")
_modules = {}
_errors = {}


def _check(name, source):
    if name not in NAMES:
        expected = ", ".join(map(repr, NAMES))
        raise ValueError(f"{source} must be one of {expected}, got {name!r}")
    return name


class set_backend(Setter):
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

    def __init__(self, backend):
        super().__init__(None if backend is None else _check(backend, "backend"))


def get_backend():
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
    return _asked_for() or name(kernel("ard"))  # one subject stands for all


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
                f"backend {backend!r} of {subject} does not import: {type(error).__name__}: {error}"
            )
            if not isinstance(error, OSError):
                _errors[key] += (
                    ". Where NumPy or SciPy changed since hotloops was built, reinstall hotloops"
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
    backend = os.environ.get("HOTLOOPS_BACKEND")
    return _check(backend, "the environment variable HOTLOOPS_BACKEND") if backend else None


def _asked_for():
    """The backend that set_backend or the environment names, if either does."""
    return _setting.get() or _environment_backend()


def kernel(subject, backend=None):
    """The module that a call with `backend=backend` runs."""
    backend = _asked_for() if backend is None else _check(backend, "backend")
    if backend is not None:
        return load(subject, backend)
    key = subject, None
    if key not in _modules:
        _modules[key] = _first(subject)
    return _modules[key]


def name(kernel):
    """The backend that this module is."""
    return kernel.__name__.rpartition("._")[2]
