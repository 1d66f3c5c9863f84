"""What a bug report needs to know about an installation."""

import importlib.metadata
import os
import platform
import sys

from . import _backends, _blocks, kernels


def subjects():
    """The names of the kernels."""
    found = {
        entry.name
        for path in kernels.__path__
        for entry in os.scandir(path)
        if os.path.isfile(os.path.join(entry.path, "_numpy.py"))
    }
    return sorted(found)


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _backend(name):
    """Whether this backend imports, or the reasons why not."""
    reasons = []
    for subject in subjects():
        try:
            _backends.load(subject, name)
        except ImportError as error:
            reasons.append(str(error))
    return "; ".join(reasons) or "imports"


def _blas():
    import scipy.linalg.cython_blas  # noqa: F401  loads the library that the kernels call
    import threadpoolctl

    for library in threadpoolctl.threadpool_info():
        if library["user_api"] == "blas":
            keys = ("internal_api", "version", "architecture", "threading_layer", "num_threads")
            facts = ", ".join(f"{key} {library[key]}" for key in keys if library.get(key))
            yield f"{facts} ({os.path.basename(library['filepath'])})"


def _build(name):
    try:
        from .kernels import _build
    except ImportError as error:
        return f"unknown: {error}"
    return getattr(_build, name)()


def _or_reason(function, *args):
    """What the function returns, or why it does not."""
    try:
        return function(*args)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _default_backend():
    return _backends.name(_backends.kernel(subjects()[0]))


def _affinity():
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return "unknown"


def config():
    """The facts by name."""
    packages = ("hotloops", "numpy", "scipy", "numba", "llvmlite", "threadpoolctl", "Cython")
    facts = {package: _version(package) for package in packages}
    facts |= {"python": sys.version.split()[0], "platform": platform.platform()}
    facts |= {f"backend {name}": _backend(name) for name in _backends.NAMES}
    facts |= {f"BLAS {k}": text for k, text in enumerate(_blas())}
    return facts | {
        "BLAS integer": f"{_build('blas_int_bits')} bits",
        "SIMD level": _build("simd_level"),
        "default backend": _or_reason(_default_backend),
        "workers": _or_reason(_blocks.workers),
        "CPUs available": _blocks.available_cpus(),
        "affinity": _affinity(),
        "environment": {k: v for k, v in os.environ.items() if k.startswith(_PREFIXES)},
    }


_PREFIXES = ("HOTLOOPS_", "OMP_", "OPENBLAS_", "MKL_", "BLIS_", "NUMBA_")


def show_config():
    """Print what a bug report needs: versions, backends, BLAS, instructions, workers.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.show_config()  # doctest: +ELLIPSIS
    hotloops         ...
    """
    for name, value in config().items():
        print(f"{name:16} {value}")
