"""Linear algebra that people write by hand, each in one call, stable and fused where it pays."""

from .distances import distances
from .layers import mlp_forward
from .matrices import ConditionReport, condition_report, low_rank, projection, safe_solve
from .moments import covariance
from .regression import LinearModel, linear_regression, ridge_regression
from .rows import normalize_rows, softmax
from .whitening import PrincipalComponents, pca, whiten

__all__ = [
    "ConditionReport",
    "LinearModel",
    "PrincipalComponents",
    "condition_report",
    "covariance",
    "distances",
    "linear_regression",
    "low_rank",
    "mlp_forward",
    "normalize_rows",
    "pca",
    "projection",
    "ridge_regression",
    "safe_solve",
    "softmax",
    "whiten",
]


def __dir__() -> list[str]:
    return __all__
