"""The covariance function of a Gaussian process."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._typing import Array
from ..ard import KernelOperator, ard_kernel, ard_kernel_vjp
from ..ard.gradients import vjp_of_folded


class Covariance:
    """k(x, y) with its parameters: the keywords that the functions of `hotloops.ard` share."""

    def __init__(self, **parameters: Any) -> None:
        self.parameters = parameters
        self.variance: float = parameters["variance"]

    def __call__(self, X: Array, Y: Array | None = None, out: Array | None = None) -> Array:
        """The matrix of all pairs of points."""
        return ard_kernel(X, Y, **self.parameters, out=out)

    def operator(self, X: Array, Y: Array | None = None) -> KernelOperator:
        """The matrix of all pairs as an operator, which never holds it."""
        return KernelOperator(X, Y, **self.parameters)

    def pull(
        self, cotangent: Array, X: Array, Y: Array | None = None, *, wrt: Sequence[str]
    ) -> Mapping[str, Any]:
        """The gradients of Σ cotangent ∘ k(X, Y) by what `wrt` names."""
        names: Any = wrt  # which of them are free is known when it runs
        return ard_kernel_vjp(cotangent, X, Y, **self.parameters, wrt=names)

    def pull_folded(
        self, cotangent: Array, side: int, X: Array, *, wrt: Sequence[str]
    ) -> Mapping[str, Any]:
        """The gradients of Σ cotangent ∘ k(X, X), the cotangent symmetric and folded: see
        `hotloops.ard.gradients.vjp_of_folded`."""
        names: Any = wrt
        return vjp_of_folded(cotangent, side, X, **self.parameters, wrt=names)


def diagonal(matrix: Array) -> Array:
    """A view of the diagonal, to write to."""
    view: Array = np.einsum("ii->i", matrix)
    return view
