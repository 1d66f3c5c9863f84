"""What a bug report needs to know about an installation."""

import importlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable, Iterator

from .._run.backends import get_backend, names, resolve
from .._run.lines import subjects
from .._run.workers import available_cpus, get_workers

_PREFIXES = ("HOTLOOPS_", "OMP_", "OPENBLAS_", "MKL_", "BLIS_", "NUMBA_")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _backend(name: str) -> str:
    """Whether this backend imports, or the reasons why not."""
    reasons = []
    for subject in subjects():
        try:
            resolve(name, subject).load(subject)
        except ImportError as error:
            reasons.append(str(error))
    return "; ".join(dict.fromkeys(reasons)) or "imports"


def _blas() -> Iterator[str]:
    """What each BLAS of this process is, in a line."""
    import scipy.linalg.cython_blas  # noqa: F401  loads the library that the kernels call
    import threadpoolctl

    for library in threadpoolctl.threadpool_info():
        if library["user_api"] == "blas":
            keys = ("internal_api", "version", "architecture", "threading_layer", "num_threads")
            facts = ", ".join(f"{key} {library[key]}" for key in keys if library.get(key))
            yield f"{facts} ({os.path.basename(library['filepath'])})"


def _build(name: str) -> str:
    """What the build says of this: `blas_int_bits` or `simd_level`."""
    try:
        build = importlib.import_module("hotloops.kernels._build")
    except ImportError as error:
        return f"unknown: {error}"
    return str(getattr(build, name)())


def _or_reason(function: Callable[[], object]) -> str:
    """What the function returns, or why it does not."""
    try:
        return str(function())
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _affinity() -> str:
    if sys.platform == "linux":
        return str(sorted(os.sched_getaffinity(0)))
    return "unknown"


def config() -> dict[str, str]:
    """The facts by name."""
    packages = ("hotloops", "numpy", "scipy", "numba", "llvmlite", "threadpoolctl", "Cython")
    facts = {package: _version(package) for package in packages}
    facts |= {"python": sys.version.split()[0], "platform": platform.platform()}
    facts |= {f"backend {name}": _backend(name) for name in names()}
    facts |= {f"BLAS {k}": text for k, text in enumerate(_blas())}
    environment = {k: v for k, v in os.environ.items() if k.startswith(_PREFIXES)}
    return facts | {
        "BLAS integer": f"{_build('blas_int_bits')} bits",
        "SIMD level": _build("simd_level"),
        "default backend": _or_reason(get_backend),
        "workers": _or_reason(get_workers),
        "CPUs available": str(available_cpus()),
        "affinity": _affinity(),
        "environment": str(environment),
    }


def show_config() -> None:
    """Print what a bug report needs: versions, backends, BLAS, instructions, workers.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.show_config()  # doctest: +ELLIPSIS
    hotloops         ...
    """
    for name, value in config().items():
        print(f"{name:16} {value}")
