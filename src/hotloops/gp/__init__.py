"""Gaussian-process regression on the ARD kernels, by scikit-learn's conventions."""

from typing import Any

from ._checks import BASES, exception
from .regressor import GaussianProcessRegressor

__all__ = ["ConvergenceWarning", "GaussianProcessRegressor", "NotFittedError"]


def __getattr__(name: str) -> Any:
    if name in BASES:
        return exception(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
