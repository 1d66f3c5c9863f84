"""Compiled kernels for the loops that NumPy makes slow or huge."""

from typing import TYPE_CHECKING, Any

from ._run.backends import get_backend, set_backend
from ._run.progress import progress
from ._run.workers import get_workers, set_workers
from .ard import KernelOperator, ard_kernel, ard_kernel_vjp, quadform
from .binomial import binomial_counts, binomial_pmf, binomial_probabilities
from .cli.config import show_config
from .features import periodic_features
from .field import layered_field
from .lstsq import LeastSquares
from .rolled import rolled_matmul
from .solve import solve_many
from .sparse import sparse_tensordot

__all__ = [
    "KernelOperator",
    "LeastSquares",
    "ard_kernel",
    "ard_kernel_vjp",
    "binomial_counts",
    "binomial_pmf",
    "binomial_probabilities",
    "get_backend",
    "get_workers",
    "layered_field",
    "periodic_features",
    "progress",
    "quadform",
    "rolled_matmul",
    "set_backend",
    "set_workers",
    "show_config",
    "solve_many",
    "sparse_tensordot",
]

_LAZY = ("gp", "linalg", "optics", "sklearn")

if TYPE_CHECKING:  # these are imported when they are first touched; no other name exists
    from . import gp as gp
    from . import linalg as linalg
    from . import optics as optics
    from . import sklearn as sklearn

    __version__: str
else:

    def __getattr__(name: str) -> Any:
        if name in _LAZY:
            import importlib

            return importlib.import_module(f".{name}", __name__)
        if name == "__version__":
            import importlib.metadata

            return importlib.metadata.version("hotloops")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_LAZY, "__version__"])
