"""What the tests of linear algebra share: numbers, and errors in units in the last place."""

import mpmath
import numpy as np
import pytest

DTYPES = [np.float32, np.float64]
dtypes = pytest.mark.parametrize("dtype", DTYPES)
SIZES = [1, 2, 7, 31, 32, 33, 63, 64, 65, 100, 1023, 1025, 2100]


def numbers(seed, shape, dtype=np.float64, spread=1.0):
    return (spread * np.random.default_rng(seed).normal(size=shape)).astype(dtype)


def ulps(result, exact):
    """The largest error in units in the last place of the exact values, mpmath numbers."""
    result = np.asarray(result).ravel()
    worst = 0.0
    for value, truth in zip(result, exact, strict=True):
        unit = float(np.spacing(np.abs(result.dtype.type(float(truth)))))
        worst = max(worst, float(abs(mpmath.mpf(float(value)) - truth)) / unit)
    return worst


def exactly(values):
    return [mpmath.mpf(float(value)) for value in np.ravel(values)]
