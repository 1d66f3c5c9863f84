"""Numbers whose products are exact, and the product that they are compared with."""

import numpy as np

import hotloops as hl


def small_integers(seed, shape, dtype, density=1.0):
    """Numbers whose products and sums are exact, with zeros among them."""
    rng = np.random.default_rng(seed)
    numbers = rng.integers(-9, 10, shape).astype(dtype)
    if numbers.dtype.kind == "c":
        numbers += 1j * rng.integers(-9, 10, shape)
    return numbers * (rng.random(shape) < density).astype(dtype)


def any_bits(seed, shape, dtype, density=1.0):
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < density
    if np.dtype(dtype).kind == "b":
        return mask & (rng.random(shape) < 0.5)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True) * mask.astype(dtype)


def check(X, A, axes=1, **keywords):
    """The result is exactly that of the dense product."""
    result = hl.sparse_tensordot(X, A, axes, **keywords)
    expected = np.tensordot(X, A.toarray(), axes)
    assert result.dtype == expected.dtype
    assert result.flags.c_contiguous
    np.testing.assert_array_equal(result, expected)
