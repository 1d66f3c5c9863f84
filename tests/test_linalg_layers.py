import itertools

import mpmath
import numpy as np
import pytest
import scipy.special
from linalg_oracles import dtypes, exactly, numbers, ulps

from hotloops import linalg


def layers(seed, widths, dtype=np.float64):
    pairs = list(itertools.pairwise(widths))
    weights = [
        numbers(seed + k, pair, dtype, max(pair[0], 1) ** -0.5) for k, pair in enumerate(pairs)
    ]
    return weights, [numbers(seed - k, pair[1], dtype) for k, pair in enumerate(pairs)]


@dtypes
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "identity", "softmax"])
@pytest.mark.parametrize("rows", [1, 5, 300])
def test_perceptron(backend, dtype, activation, rows):
    x, (weights, biases) = numbers(8, (rows, 7), dtype), layers(9, (7, 40, 3, 70), dtype)
    result = linalg.mlp_forward(
        x, weights, biases, activation=activation, output_activation=activation, backend=backend
    )
    assert result.dtype == dtype
    functions = {
        "relu": lambda a: a * (a > 0),
        "tanh": np.tanh,
        "sigmoid": scipy.special.expit,
        "identity": lambda a: a,
        "softmax": lambda a: scipy.special.softmax(a, axis=1),
    }
    a = x.astype(np.float64)
    for w, b in zip(weights, biases, strict=True):
        a = functions[activation](a @ w + b)
    np.testing.assert_allclose(result, a, rtol=0, atol=40 * np.finfo(dtype).eps)


@dtypes
def test_activations_within_ulps(backend, dtype):
    # one layer that multiplies by 1 and adds 0
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.concatenate([
        numbers(10, 40), numbers(11, 40, spread=20), np.geomspace(1e-30, 100, 60), [0, tiny, -tiny]
    ]).astype(dtype)  # fmt: skip
    x = np.concatenate([x, -x])
    exact = {"tanh": mpmath.tanh, "sigmoid": lambda v: 1 / (1 + mpmath.exp(-v))}
    for name, function in exact.items():
        result = linalg.mlp_forward(
            x[:, None], [np.ones((1, 1), dtype)], [np.zeros(1, dtype)], output_activation=name,
            backend=backend,
        )  # fmt: skip
        with mpmath.workdps(60):
            assert ulps(result, [function(v) for v in exactly(x)]) < 4


def test_activations_at_the_ends(backend):
    x = np.array([[-np.inf], [-1e300], [-800], [0], [800], [1e300], [np.inf], [np.nan]])
    ends = {
        "relu": [0, 0, 0, 0, 800, 1e300, np.inf, np.nan],
        "tanh": [-1, -1, -1, 0, 1, 1, 1, np.nan],
        "sigmoid": [0, 0, 0, 0.5, 1, 1, 1, np.nan],
        "identity": x[:, 0],
    }
    for name, expected in ends.items():
        with np.errstate(all="raise"):
            result = linalg.mlp_forward(
                x, [[[1.0]]], [[0.0]], output_activation=name, backend=backend
            )
        np.testing.assert_array_equal(result[:, 0], expected)


def test_perceptron_of_one_vector_and_of_a_batch(backend):
    x, (weights, biases) = numbers(8, (2, 3, 7)), layers(9, (7, 5, 4))
    result = linalg.mlp_forward(x, weights, biases, backend=backend)
    assert result.shape == (2, 3, 4)
    one = linalg.mlp_forward(x[1, 2], weights, biases, backend=backend)
    np.testing.assert_allclose(result[1, 2], one, rtol=1e-14)


def test_perceptron_with_empty_layers(backend):
    x = numbers(8, (5, 7))
    for widths in ((7, 0, 3), (7, 4, 0)):
        weights, biases = layers(9, widths)
        result = linalg.mlp_forward(x, weights, biases, backend=backend)
        expected = np.tile(np.exp(biases[-1]) / np.exp(biases[-1]).sum(), (5, 1))
        np.testing.assert_allclose(result, expected, rtol=1e-14)
