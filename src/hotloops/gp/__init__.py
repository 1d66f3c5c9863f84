"""Gaussian-process regression on the ARD kernels, by scikit-learn's conventions."""

from typing import TYPE_CHECKING, Any

from ._exceptions import OWN, exception
from .regressor import GaussianProcessRegressor

if TYPE_CHECKING:  # these are scikit-learn's, if it is installed
    from ._exceptions import ConvergenceWarning, NotFittedError

__all__ = ["ConvergenceWarning", "GaussianProcessRegressor", "NotFittedError"]


def __getattr__(name: str) -> Any:
    if name in OWN:
        return exception(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
