import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hotloops as hl
from hotloops._run import backends
from hotloops._run.backends import names
from hotloops._run.guard import blas_on_one_thread

FLOATS = [np.float32, np.float64, np.complex64, np.complex128]
INTEGERS = [np.dtype(c) for c in "bBhHiIlLqQ"]


def small_integers(seed, shape, dtype):
    """Numbers whose products and sums are exact."""
    rng = np.random.default_rng(seed)
    numbers = rng.integers(-9, 10, shape).astype(dtype)
    if numbers.dtype.kind == "c":
        numbers += 1j * rng.integers(-9, 10, shape)
    return numbers


def any_bits(seed, shape, dtype):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "b":
        return rng.random(shape) < 0.3
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def double_loop(A, B, k):
    """One product of NumPy's for each."""
    d, dtype = len(A), np.result_type(A, B)
    out = np.empty((d, k, A.shape[1], B.shape[2]), dtype)
    for i in range(d):
        for j in range(k):
            out[i, j] = A[i] @ B[(i + j) % d]
    return out


# --- against the truth ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("size", [*range(1, 14), 16, 31, 33])
def test_squares_are_exact(backend, dtype, size):
    A, B = small_integers(1, (5, size, size), dtype), small_integers(2, (5, size, size), dtype)
    ring = B[(np.arange(5)[:, None] + np.arange(7)) % 5]
    result = hl.rolled_matmul(A, B, 7, backend=backend)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, np.einsum("imn,ijnl->ijml", A, ring))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("l", [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 40])
@pytest.mark.parametrize(("m", "n"), [(1, 1), (2, 7), (4, 3), (7, 2), (9, 12), (13, 5), (3, 20)])
def test_rectangles_are_exact(backend, dtype, m, n, l):
    A, B = small_integers(1, (3, m, n), dtype), small_integers(2, (3, n, l), dtype)
    result = hl.rolled_matmul(A, B, 4, backend=backend)
    np.testing.assert_array_equal(result, double_loop(A, B, 4))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.uint64, *FLOATS])
def test_small_sizes_are_exact(backend, dtype):
    sizes = list(itertools.product(range(1, 10), repeat=3))
    for m, n, l in np.random.default_rng(1).permutation(sizes)[:150]:
        A, B = small_integers(m, (3, m, n), dtype), small_integers(n, (3, n, l), dtype)
        ring = B[(np.arange(3)[:, None] + np.arange(5)) % 3]
        result = hl.rolled_matmul(A, B, 5, backend=backend)
        np.testing.assert_array_equal(result, np.einsum("imn,ijnl->ijml", A, ring))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("size", [15, 16, 17, 31, 32, 33])
def test_both_sides_of_the_switch_to_blas(backend, dtype, size):
    for m, n, l in [(size, 3, 5), (3, size, 5), (3, 5, size)]:
        A, B = small_integers(1, (3, m, n), dtype), small_integers(2, (3, n, l), dtype)
        result = hl.rolled_matmul(A, B, 4, backend=backend)
        np.testing.assert_array_equal(result, double_loop(A, B, 4))


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize(("m", "n", "l"), [(2, 2, 2), (5, 3, 7), (9, 8, 17)])
def test_integers_wrap_as_pythons_would(backend, dtype, m, n, l):
    A, B = any_bits(1, (3, m, n), dtype), any_bits(2, (3, n, l), dtype)
    exact = double_loop(A.astype(object), B.astype(object), 4)
    modulo = (exact % 2 ** (8 * dtype.itemsize)).astype(f"u{dtype.itemsize}").view(dtype)
    np.testing.assert_array_equal(hl.rolled_matmul(A, B, 4, backend=backend), modulo)


# n max|A| max|B| just below 2^51, at it, and where a float64 would round
@pytest.mark.parametrize("most", [(2**24 - 1, 2**24), (2**24, 2**24), (2**28 - 1, 2**28)])
@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
@pytest.mark.parametrize("size", [8, 20])
def test_long_integers_are_exact_around_the_switch_to_floats(backend, dtype, most, size):
    rng = np.random.default_rng(1)
    lists = [rng.choice([of, of - 1], (9, size, 8)).astype(dtype) for of in most]
    if dtype is np.int64:
        lists = [numbers * rng.choice([-1, 1], numbers.shape) for numbers in lists]
    A, B = lists[0], lists[1].swapaxes(1, 2)
    A[0], B[0] = most[0], most[1]  # one sum is the largest there can be
    result = hl.rolled_matmul(A, B, 100, backend=backend)
    exact = double_loop(A.astype(object), B.astype(object), 10)
    np.testing.assert_array_equal(result[:, :10], exact.astype(dtype))
    np.testing.assert_array_equal(result[:, 9:19], result[:, :10])


def test_the_switch_to_floats(monkeypatch):
    """Floats are for long integers alone, where no sum can pass 2^51 and there is much to do."""
    made = []
    monkeypatch.setattr(
        backends.resolve("numpy", "rolled"),
        "block",
        lambda subject, name, dtype: lambda *args: made.append(name),
    )

    def block(a, b, k=100, dtype=np.int64):
        A, B = np.full((9, 8, 8), a, dtype), np.full((9, 8, 8), b, dtype)
        A[1], B[2] = 1, 1  # not the largest
        hl.rolled_matmul(A, B, k, backend="numpy", workers=1)
        return made.pop()

    assert block(2**24, 2**24 - 1) == block(-(2**24), 2**24 - 1) == "fill_exact"
    assert block(2**24, 2**24) == block(2**24, -(2**24)) == "fill_integer"
    assert block(-(2**63), 1) == block(2**63, 1, dtype=np.uint64) == "fill_integer"
    assert block(3, 3, k=1) == block(3, 3, dtype=np.int32) == "fill_integer"


@pytest.mark.parametrize("dtype", [np.dtype(bool), *INTEGERS])
@pytest.mark.parametrize(("m", "n", "l"), [(1, 1, 1), (4, 4, 4), (3, 17, 40), (12, 9, 130)])
def test_integers_wrap_and_booleans_combine(backend, dtype, m, n, l):
    A, B = any_bits(1, (4, m, n), dtype), any_bits(2, (4, n, l), dtype)
    result = hl.rolled_matmul(A, B, 5, backend=backend)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, double_loop(A, B, 5))


@pytest.mark.parametrize("of_A", "?bBhHiIlLqQfdFD")
def test_mixed_dtypes_are_numpys(backend, of_A):
    for of_B in "?bBhHiIlLqQfdFD":
        A = small_integers(1, (2, 3, 4), np.float64).astype(np.int8).astype(of_A)
        B = small_integers(2, (2, 4, 5), np.float64).astype(np.int8).astype(of_B)
        expected = double_loop(A, B, 2)
        result = hl.rolled_matmul(A, B, 2, backend=backend)
        assert result.dtype == np.matmul(A, B).dtype
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("backend", names())
@pytest.mark.parametrize("dtype", [np.int16, np.float64, np.complex64])
@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 6), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9),
    st.integers(0, 2**32),
)  # fmt: skip
def test_a_full_turn_is_the_product_with_the_sum(dtype, backend, d, m, n, l, seed):
    A, B = small_integers(seed, (d, m, n), dtype), small_integers(seed + 1, (d, n, l), dtype)
    turn = hl.rolled_matmul(A, B, d, backend=backend)
    np.testing.assert_array_equal(turn.sum(axis=1), A @ B.sum(axis=0))
    np.testing.assert_array_equal(
        hl.rolled_matmul(A, B, 2 * d, backend=backend), np.concatenate([turn, turn], axis=1)
    )


# --- edges ----------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [0, 1, 2, 11])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_any_k_and_d(backend, d, k):
    A, B = small_integers(1, (d, 2, 3), np.float64), small_integers(2, (d, 3, 4), np.float64)
    result = hl.rolled_matmul(A, B, k, backend=backend)
    assert result.shape == (d, k, 2, 4)
    np.testing.assert_array_equal(result, double_loop(A, B, k))


@pytest.mark.parametrize("dtype", [bool, np.int16, *FLOATS])
@pytest.mark.parametrize("shape", [(0, 2, 3, 4), (2, 0, 3, 4), (2, 3, 0, 4), (2, 3, 4, 0)])
def test_sizes_of_zero(backend, dtype, shape):
    d, m, n, l = shape
    A, B = np.ones((d, m, n), dtype), np.ones((d, n, l), dtype)
    out = np.ones((d, 3, m, l), dtype)
    assert hl.rolled_matmul(A, B, 3, out=out, backend=backend) is out
    assert not out.any()


def test_one_product_is_cut_into_rows(backend):
    rng = np.random.default_rng(1)
    A, B = rng.normal(size=(1, 1500, 300)), rng.normal(size=(1, 300, 200))
    result = hl.rolled_matmul(A, B, 1, backend=backend, workers=2)
    np.testing.assert_allclose(result[0, 0], A[0] @ B[0], rtol=0, atol=1e-12)
    expected = np.trunc(100 * A[0]) @ np.trunc(100 * B[0])  # below 2**53
    for dtype in (np.int32, np.int64):
        integers = hl.rolled_matmul(
            (100 * A).astype(dtype), (100 * B).astype(dtype), 1, backend=backend, workers=2
        )
        np.testing.assert_array_equal(integers[0, 0], expected)


@pytest.mark.parametrize("dtype", [*FLOATS, np.int64])
@pytest.mark.parametrize("size", [40, 60, 70])
def test_blas_runs_on_one_thread(monkeypatch, dtype, size):
    """Where OpenBLAS would take more: beyond 64^3 multiplications, 32^3 of complex numbers."""
    held = []
    monkeypatch.setattr(
        backends.resolve("numpy", "rolled"),
        "block",
        lambda subject, name, dtype: lambda *args: held.append(bool(blas_on_one_thread.inside)),
    )
    A = np.ones((3, size, size), dtype)
    hl.rolled_matmul(A, A, 40, backend="numpy", workers=1)
    assert all(held) == (size**3 > (32**3 if np.iscomplexobj(A) else 64**3))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("size", [3, 4, 7, 20])
def test_nan_and_infinity_travel(backend, dtype, size):
    A, B = small_integers(1, (3, size, size), dtype), small_integers(2, (3, size, size), dtype)
    A[1, 2, 0], B[2, 1, 1] = np.nan, np.inf
    with np.errstate(all="ignore"):
        expected = double_loop(A, B, 3)
    result = hl.rolled_matmul(A, B, 3, backend=backend)
    np.testing.assert_array_equal(np.isfinite(result), np.isfinite(expected))
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(result[finite], expected[finite])


@pytest.mark.parametrize(("block", "dtype"), [
    ("fill", np.float64), ("fill", np.complex64), ("fill_exact", np.float64),
    ("fill_integer", np.uint16), ("fill_integer", np.uint64), ("fill_bool", np.uint8),
])  # fmt: skip
@pytest.mark.parametrize("size", [4, 20, 40])
def test_a_block_writes_its_own_rows_alone(backend, block, dtype, size):
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 2, (2, 3, size, size)).astype(dtype)
    out = np.full((6, size, size), 7, dtype)
    getattr(backends.resolve(backend, "rolled").load("rolled"), block)(2, 5, 1, 3, a, b, 2, out)
    owned = np.zeros(out.shape, bool)
    owned[2:5, 1:3] = True
    if block == "fill_exact":
        out[owned] = out.view(np.int64)[owned]
    expected = double_loop(a, b, 2).reshape(out.shape)
    if block == "fill_bool":
        expected = np.minimum(expected, 1)
    np.testing.assert_array_equal(out, np.where(owned, expected, 7).astype(dtype))


# --- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("A", "B", "k", "error", "message"),
    [
        (np.ones((2, 3)), np.ones((2, 3, 4)), 1, ValueError, r"A must have 3 dim.*\(2, 3\)"),
        (np.ones((2, 3, 3)), np.ones((2, 3)), 1, ValueError, r"B must have 3 dim.*\(2, 3\)"),
        (np.ones((2, 3, 3)), np.ones((3, 3, 3)), 1, ValueError, r"\(2, 3, 3\) and \(3, 3, 3\)"),
        (np.ones((2, 3, 4)), np.ones((2, 3, 4)), 1, ValueError, "same d and n"),
        (np.ones((2, 1, 1)), np.ones((2, 1, 1)), -1, ValueError, "k must be >= 0, got -1"),
        (
            np.ones((2, 3, 1)),
            np.ones((2, 1, 5)),
            2**62,
            ValueError,
            f"k must .* {2**60 // 30}, got",
        ),
        (
            np.ones((0, 3, 1)),
            np.ones((0, 1, 5)),
            2**62,
            ValueError,
            f"k must .* {2**60 // 15}, got",
        ),
        (
            np.broadcast_to(1.0, (1, 2**40, 0)),
            np.broadcast_to(1.0, (1, 0, 2**40)),
            1,
            ValueError,
            "k must be 0, got 1",
        ),
        (np.ones((2, 1, 1)), np.ones((2, 1, 1)), 1.0, TypeError, "k must be an integer, got 1.0"),
        (np.ones((2, 1, 1), "f2"), np.ones((2, 1, 1)), 1, TypeError, "A must be .*float16"),
        (np.ones((2, 1, 1)), np.ones((2, 1, 1), "g"), 1, TypeError, "B must be .*(longd|float128)"),
        (np.ones((2, 1, 1)), np.full((2, 1, 1), {}), 1, TypeError, "B must be .*got dict at B"),
        (np.ones((2, 1, 1), "m8[s]"), np.ones((2, 1, 1)), 1, TypeError, "A must be .*timedelta"),
    ],
)
def test_bad_input(A, B, k, error, message):
    with pytest.raises(error, match=message):
        hl.rolled_matmul(A, B, k)


def test_bad_out():
    A = np.ones((2, 3, 3))
    for out, message in [
        (np.ones((2, 1, 3, 4)), r"shape \(2, 1, 3, 3\).*got shape \(2, 1, 3, 4\)"),
        (np.ones((2, 1, 3, 3), np.float32), "dtype float64, got .*float32"),
        (np.ones((2, 1, 3, 6))[..., ::2], "C-contiguous"),
        (A[:, None], "share memory with A"),
    ]:
        before = out.copy()
        with pytest.raises(ValueError, match=message):
            hl.rolled_matmul(A, 2 * A, 1, out=out)
        np.testing.assert_array_equal(out, before)


def test_dimensions_beyond_blas_are_refused():
    wide = np.broadcast_to(np.float32(0), (1, 1, 2**31))
    with pytest.raises(ValueError, match=r"less than 2\*\*31 rows and columns"):
        hl.rolled_matmul(np.ones((1, 1, 1), np.float32), wide, 0)
