"""Layers of a neural network."""

import math
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _arrays
from .._run import Form, Output, Step, by_shape, run
from .._run.tiles import grid, split
from .._typing import Floats
from ..kernels.linalg import IDENTITY, RELU, ROWS, SIGMOID, SOFTMAX, TANH
from ._common import FLOP, real

Activation: TypeAlias = Literal["relu", "tanh", "sigmoid", "identity", "softmax"]

_ACTIVATIONS: dict[str, int] = {
    "identity": IDENTITY,
    "relu": RELU,
    "tanh": TANH,
    "sigmoid": SIGMOID,
    "softmax": SOFTMAX,
}
_FEW = 64  # rows of a batch below which unpacking the weights takes longer than using them


def mlp_forward(
    X: ArrayLike,
    weights: Sequence[ArrayLike] | NDArray[Any],
    biases: Sequence[ArrayLike] | NDArray[Any],
    *,
    activation: Activation = "relu",
    output_activation: Activation = "softmax",
    out: Floats | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> Floats:
    """The output of a multilayer perceptron.

    .. math:: a_0 = x, \\quad a_{l+1} = f(a_l W_l + b_l)

    f is `activation`, and `output_activation` after the last layer.

    Parameters
    ----------
    X : array_like, shape (..., n_0)
    weights : sequence of L array_like, shapes (n_0, n_1), (n_1, n_2), …, (n_{L−1}, n_L)
        Inputs by outputs, as in scikit-learn and Keras; `torch.nn.Linear` has the transpose.
    biases : sequence of L array_like, shapes (n_1,), …, (n_L,)
    activation, output_activation : {"relu", "tanh", "sigmoid", "identity", "softmax"}
    out : ndarray, shape (..., n_L), optional
        Where to put the result.
    backend, workers
        As in `distances`.

    Returns
    -------
    ndarray, shape (..., n_L)
        float32 if all the arrays are, else float64.

    Raises
    ------
    TypeError
        For an array that is not real.
    ValueError
        For shapes that do not meet, no layer, an unknown activation, an unfit `out`.

    Notes
    -----
    768 rows at a time go through all layers, each a matrix product whose bias and activation are
    added while it is in the cache. Accuracy: that of the products; tanh, sigmoid and softmax
    within a few ulps, without overflow. NaN travels.

    Cost: Σ n_l n_{l+1} multiplications a row. Memory: the result, a copy of the weights, and of an
    X that is not C-contiguous; for each worker 1536 rows of the widest layer.

    Examples
    --------
    >>> import hotloops as hl
    >>> hl.linalg.mlp_forward(
    ...     [[1.0, -2.0]], [[[1.0, 1.0], [1.0, 0.0]], [[2.0], [3.0]]], [[0.0, 0.5], [1.0]],
    ...     output_activation="identity",
    ... )
    array([[5.5]])
    """
    x = real("X", X, 1)
    layers = _layers(x, weights, biases)
    hidden = _ACTIVATIONS[_arrays.choice("activation", activation, _ACTIVATIONS)]
    final = _ACTIVATIONS[_arrays.choice("output_activation", output_activation, _ACTIVATIONS)]
    dtype = _arrays.common_dtype(x, *layers)
    sizes = [layer.size for layer in layers[::2]]
    inputs = {f"{'biases' if k % 2 else 'weights'}[{k // 2}]": a for k, a in enumerate(layers)}
    widths = [x.shape[-1], *map(len, layers[1::2])]
    n, width = math.prod(x.shape[:-1]), widths[-1]
    cost = 100 + FLOP * sum(sizes) + 2 * sum(widths[1:])
    call = _forward((*x.shape[:-1], width), dtype, n, cost, max(sizes)).of(
        _arrays.ready(x, dtype).reshape(n, x.shape[-1]),
        np.concatenate([layer.ravel() for layer in layers], dtype=dtype),
        np.array(widths, np.int64),
        hidden,
        final,
    )
    result: Floats = run(call, backend, workers, out=out, X=x, **inputs)
    return result


@by_shape
def _forward(
    shape: tuple[int, ...], dtype: np.dtype[Any], n: int, cost: float, largest: int
) -> Form:
    """The form of the calls that make the result of n rows, each of which takes `cost` ns, where
    the largest layer has so many weights."""
    step = _rows_together(n, cost)
    arrays = {"out": Output(shape, dtype, (n, shape[-1]))}
    multiplications = largest * min(step, ROWS)
    steps = [Step("forward", grid((n,), (step,)), multiplications=multiplications)]
    inputs = "x", "parameters", "widths", "activation", "output_activation"
    return Form(inputs, "linalg", dtype, arrays, steps)


def _rows_together(n: int, cost: float) -> int:
    """How many rows a block has: many of them, as BLAS unpacks the weights for each block."""
    step = split(n, cost)
    if step > ROWS:
        return int(-(-step // ROWS) * ROWS)
    return step if step == n else int(max(_FEW, min(ROWS, -(-n // 6))))


def _layers(x: Floats, weights: Any, biases: Any) -> list[Floats]:
    """The list [weights[0], biases[0], weights[1], …] after checks of its arrays."""
    for name, value in (("weights", weights), ("biases", biases)):
        if isinstance(value, str) or not np.iterable(value):
            raise TypeError(f"{name} must be a sequence of arrays, got {value!r:.40}")
    weights, biases = list(weights), list(biases)
    if not weights or len(weights) != len(biases):
        raise ValueError(
            f"weights and biases must have one array for each layer, and one layer at least, "
            f"got {len(weights)} and {len(biases)}"
        )
    layers: list[Floats] = []
    width = x.shape[-1]
    for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
        w, b = _arrays.real(f"weights[{k}]", w, 2), _arrays.real(f"biases[{k}]", b, 1)
        if w.shape[0] != width:
            raise ValueError(
                f"weights[{k}] must have {width} row(s), one for each column that comes in, "
                f"got shape {w.shape}"
            )
        width = w.shape[1]
        if len(b) != width:
            raise ValueError(
                f"biases[{k}] must have {width} element(s), one for each column of weights[{k}], "
                f"got {len(b)}"
            )
        layers += w, b
    return layers
