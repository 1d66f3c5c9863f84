"""What scikit-learn expects of any regressor, without scikit-learn."""

import abc
import functools
import inspect
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from .. import _arrays
from .._typing import Floats
from ._checks import numbers, scale_exponent


class Regressor(abc.ABC):
    """An estimator whose parameters are the keywords of its constructor, and its attributes."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name, and return the estimator."""
        known = self.get_params()
        for name, value in params.items():
            _arrays.choice("the name of a parameter", name, known)
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        given = [
            f"{name}={getattr(self, name)!r}"
            for name, parameter in inspect.signature(type(self)).parameters.items()
            if repr(getattr(self, name)) != repr(parameter.default)
        ]
        return f"{type(self).__name__}({', '.join(given)})"

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import RegressorTags, Tags, TargetTags

        return Tags(
            estimator_type="regressor",
            target_tags=TargetTags(required=True, multi_output=True),
            regressor_tags=RegressorTags(),
        )

    @abc.abstractmethod
    def predict(self, X: ArrayLike) -> Floats:
        """The targets at the points X."""

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The coefficient of determination R² of the prediction, the mean of those of the targets.

        Parameters
        ----------
        X : array_like, shape (n, D)
        y : array_like, shape (n,) or (n, n_targets)
        sample_weight : array_like, shape (n,), optional

        Returns
        -------
        float
            1 − Σ (y − prediction)² / Σ (y − mean)². Of a constant target 1 if it is met exactly,
            else 0.
        """
        prediction = self.predict(X)
        y = numbers("y", y)
        if y.shape != prediction.shape:
            raise ValueError(f"y must have shape {prediction.shape}, got {y.shape}")
        if sample_weight is not None:
            sample_weight = numbers("sample_weight", sample_weight)
            if sample_weight.shape != y.shape[:1]:
                raise ValueError(
                    f"sample_weight must have shape {y.shape[:1]}, got {sample_weight.shape}"
                )
        mean = functools.partial(np.average, axis=0, weights=sample_weight)
        exponent = scale_exponent(y)
        y, prediction = np.ldexp(y, -exponent), np.ldexp(prediction, -exponent)
        errors = np.atleast_1d(mean((y - prediction) ** 2))
        # of a constant, rounding of the mean would leave something
        spread = np.atleast_1d(np.where(np.ptp(y, axis=0) > 0, mean((y - mean(y)) ** 2), 0))
        unexplained = (errors > 0).astype(np.float64)
        np.divide(errors, spread, out=unexplained, where=spread > 0)
        return float(np.mean(1 - unexplained))
