import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

import hotloops as hl
from hotloops import _arrays, sparse
from hotloops._run import resolve

FLOATS = [np.float32, np.float64, np.complex64, np.complex128]
INTEGERS = [np.dtype(c) for c in "bBhHiIlLqQ"]
FORMATS = ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"]


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


@pytest.fixture(params=[2**60, 0], ids=["used", "converted"])
def other_order(request, monkeypatch):
    """A matrix in another order than the kernel's is used as it is, or converted."""
    monkeypatch.setattr(sparse, "_SCATTERED", request.param)
    monkeypatch.setattr(sparse, "_CONVERTED", 0)


# --- against the truth ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("density", [0.003, 0.03, 0.3, 1.0])
@pytest.mark.parametrize("rows", [1, 2, 3, 16, 17, 50])
def test_is_exact(backend, dtype, density, rows):
    for k, m in [(1, 1), (3, 70), (300, 5), (130, 129)]:
        X = small_integers(1, (rows, k), dtype)
        A = scipy.sparse.csc_array(small_integers(2, (k, m), dtype, density))
        check(X, A, backend=backend)


@pytest.mark.parametrize("dtype", [np.dtype(bool), *INTEGERS])
@pytest.mark.parametrize("shape", [(2, 60), (7, 5, 60), (150, 60)])
def test_integers_wrap_and_booleans_combine(backend, dtype, shape):
    for density in (0.02, 0.3):
        A = scipy.sparse.csc_array(any_bits(2, (60, 90), dtype, density))
        check(any_bits(1, shape, dtype), A, backend=backend)


@pytest.mark.parametrize("of_X", "?bBhHiIlLqQfdFD")
def test_mixed_dtypes_are_numpys(backend, of_X):
    X = np.abs(small_integers(1, (3, 4), np.int8)).astype(of_X)
    for of_A in "?bBhHiIlLqQfdFD":
        D = np.abs(small_integers(2, (4, 5), np.int8)).astype(of_A)
        check(X, scipy.sparse.csc_array(D), backend=backend)


@pytest.mark.parametrize(("dtype", "wide"), [
    (np.float32, np.float64), (np.float64, np.longdouble), (np.complex128, np.clongdouble),
])  # fmt: skip
def test_rounding_is_that_of_a_sum(backend, dtype, wide):
    rng = np.random.default_rng(1)
    X, D = rng.normal(size=(20, 400)).astype(dtype), rng.normal(size=(400, 70)).astype(dtype)
    if np.dtype(dtype).kind == "c":
        X, D = X + 1j * X[::-1], D * (1 + 2j)
    D[rng.random(D.shape) < 0.8] = 0
    truth = X.astype(wide) @ D.astype(wide)
    terms = np.abs(X.astype(wide)) @ np.abs(D.astype(wide))
    count = (D != 0).sum(axis=0)
    error = np.abs(hl.sparse_tensordot(X, scipy.sparse.csc_array(D), backend=backend) - truth)
    assert (error <= (count + 4) * np.finfo(dtype).eps * terms).all()


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_row_has_the_same_bits_wherever_it_lies(backend, dtype):
    rng = np.random.default_rng(1)
    X = (rng.normal(size=(40, 400)) * (1 + 2j if np.dtype(dtype).kind == "c" else 1)).astype(dtype)
    A = scipy.sparse.random_array((400, 300), density=0.05, rng=rng, format="csc").astype(dtype)
    A.data *= 1 + 3j if np.dtype(dtype).kind == "c" else 1
    whole = hl.sparse_tensordot(X, A, backend=backend)
    for format in ("csc", "csr", "coo"):
        stored = A.asformat(format)
        for part in (slice(0, 1), slice(5, 7), slice(3, 11), slice(3, 20)):
            np.testing.assert_array_equal(
                hl.sparse_tensordot(X[part], stored, backend=backend), whole[part]
            )


@pytest.mark.usefixtures("other_order")
@pytest.mark.parametrize("rows", [1, 20])
def test_the_order_is_that_of_the_stored_elements(backend, rows):
    # 1 + 2**53 - 2**53, and in another order
    for data, expected in (([1.0, 2.0**53, -(2.0**53)], 0), ([2.0**53, -(2.0**53), 1.0], 1)):
        A = scipy.sparse.coo_array((np.array(data), ([2, 0, 2], [0, 0, 0])), shape=(3, 1))
        result = hl.sparse_tensordot(np.ones((rows, 3)), A, backend=backend)
        np.testing.assert_array_equal(result, np.full((rows, 1), expected))


# SciPy's own cases for tensordot (scipy/sparse/tests/test_coo.py)
@pytest.mark.parametrize(("of_X", "of_A", "axes"), [
    ((4, 6), (6, 7), ([1], [0])),
    ((3, 2, 4, 7), (7,), ([3], [0])),
    ((5,), (6, 3, 5, 2), ([0], [2])),
    ((4, 5, 7, 6), (3, 2, 6, 4), ([0, 3], [3, 2])),
    ((2, 8, 7), (4, 5, 7, 8, 2), ([0, 1, 2], [4, 3, 2])),
    ((4, 5, 3, 2, 6), (3, 2, 6, 7, 8), 3),
    ((4, 5, 7), (7, 3, 7), 1),
    ((2, 3, 4), (2, 3, 4), ([0, 1, 2], [0, 1, 2])),
])  # fmt: skip
def test_scipys_own_shapes_and_axes(backend, of_X, of_A, axes):
    A = scipy.sparse.coo_array(small_integers(2, of_A, np.int64, 0.6))
    check(small_integers(1, of_X, np.int64), A, axes, backend=backend)


@pytest.mark.parametrize(("of_X", "of_A", "axes"), [
    ((6,), (6, 8), 1), ((5, 4, 6), (6, 8), 1), ((2, 2, 2, 2, 6), (6, 8), np.int64(1)),
    ((6, 4), (6, 8), (0, 0)), ((4, 6), (8, 6), (-1, -1)), ((5, 6, 2), (6, 8), ([1], [-2])),
    ((6, 8), (6, 8), 2), ((5, 6, 8), (6, 8), 2), ((8, 6), (6, 8), ([0, 1], [1, 0])),
    ((8, 2, 6), (6, 8), ([0, 2], (-1, -2))), ((5,), (6, 8), 0), ((), (6, 8), 0),
    ((9, 2), (6, 8), ([], [])), ((20, 6), (6, 8), 1), ((3, 5), (6, 8), 0),
])  # fmt: skip
@pytest.mark.usefixtures("other_order")
@pytest.mark.parametrize("format", FORMATS)
def test_axes_and_formats(backend, of_X, of_A, axes, format):
    D = small_integers(2, of_A, np.float64, 0.4)
    for kind in (scipy.sparse.coo_array, scipy.sparse.coo_matrix):
        check(small_integers(1, of_X, np.float64), kind(D).asformat(format), axes, backend=backend)


def test_a_matrix_in_another_order_is_used_for_little_work(backend, monkeypatch):
    X, A = small_integers(1, (64, 50), float), small_integers(2, (50, 50), float, 0.1)
    csr = scipy.sparse.csr_array(A)
    monkeypatch.setattr(scipy.sparse.csr_array, "tocsc", None)
    for stored in (csr, csr.tocoo()):
        result = hl.sparse_tensordot(X, stored, backend=backend)
        np.testing.assert_array_equal(result, X @ A)


def test_the_default_sums_over_one_axis(backend):
    X, D = small_integers(1, (3, 4), float), small_integers(2, (4, 5), float)
    A = scipy.sparse.csr_matrix(D)
    result = hl.sparse_tensordot(X, A, backend=backend)
    assert type(result) is np.ndarray
    np.testing.assert_array_equal(result, X @ D)
    np.testing.assert_array_equal(hl.sparse_tensordot(X @ D, A.T, backend=backend), X @ D @ D.T)


# --- how X lies -----------------------------------------------------------------------------

LAYOUTS = {
    "C": lambda X: X,
    "Fortran": np.asfortranarray,
    "every second row": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "no two axes as one": lambda X: np.pad(X, ((0, 0), (0, 1), (0, 2)))[:, :-1, :-2],
    "summed axis apart": lambda X: np.repeat(X, 3, axis=2)[..., ::3],
    "backwards": lambda X: X[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1],
    "axes swapped": lambda X: X.transpose(1, 2, 0).copy().transpose(2, 0, 1),
    "rows swapped": lambda X: X.transpose(1, 0, 2).copy().transpose(1, 0, 2),
    "row repeated": lambda X: np.broadcast_to(X[:1], X.shape),
    "number repeated": lambda X: np.broadcast_to(X[..., :1], X.shape),
    "big-endian": lambda X: X.astype(X.dtype.newbyteorder(">")),
    "field of a record": lambda X: np.rec.fromarrays([X, np.ones(X.shape, np.int8)]).f0,
    "between real numbers": lambda X: between(X, X.real.dtype),
}


def between(X, other):
    records = np.empty(X.shape[:-1], [("before", other), ("X", X.dtype, X.shape[-1])])
    records["X"] = X
    return records["X"]


@pytest.mark.parametrize("dtype", [np.float64, np.complex64, np.uint8])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("density", [0.01, 0.5])
def test_any_layout(backend, layout, dtype, density):
    X = LAYOUTS[layout](small_integers(1, (7, 20, 24), dtype))
    A = scipy.sparse.csc_array(small_integers(2, (24, 30), dtype, density))
    check(X, A, backend=backend)
    A = scipy.sparse.csc_array(small_integers(2, (20, 30), dtype, density))
    check(X, A, (1, 0), backend=backend)
    A = scipy.sparse.csc_array(small_integers(2, (7, 24), dtype, density))
    check(X, A, ([0, 2], [0, 1]), backend=backend)


@pytest.mark.parametrize(
    "layout",
    ["C", "Fortran", "every second row", "no two axes as one", "backwards", "rows swapped",
     "between real numbers"],
)  # fmt: skip
@pytest.mark.parametrize("backend", ["cython", "numba"])
@pytest.mark.parametrize("dtype", [np.float64, np.complex64])
def test_X_is_not_copied(backend, layout, dtype):
    X = LAYOUTS[layout](np.ones((100, 60, 100), dtype))  # 4.8 MB
    A = scipy.sparse.eye_array(100, format="csc", dtype=dtype)
    out = np.empty(X.shape, dtype)
    hl.sparse_tensordot(X, A, out=out, backend=backend)
    tracemalloc.start()
    try:
        hl.sparse_tensordot(X, A, out=out, backend=backend)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1e5


def test_X_with_one_record_is_not_copied():
    records = np.ones(1, [("X", float, (500, 100)), ("after", np.int8)])
    out = np.empty((1, 500, 100))
    A = scipy.sparse.eye_array(100, format="csc")
    hl.sparse_tensordot(records["X"], A, out=out)
    tracemalloc.start()
    try:
        hl.sparse_tensordot(records["X"], A, out=out)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert records["X"].strides[0] % 8
    assert peak < 1e5
    np.testing.assert_array_equal(out, records["X"])


GROWTH = """
import resource, sys
import numpy as np, scipy.sparse
import hotloops as hl
backend, k = sys.argv[1], int(sys.argv[2])
size = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
rng = np.random.default_rng(1)
indices = rng.integers(0, k, 3 * k).astype(np.int32)
A = scipy.sparse.csc_array((np.ones(3 * k), indices, np.arange(0, 3 * k + 1, 300)), (k, k // 100))
X, out = np.ones((20, k)), np.ones((20, k // 100))
hl.sparse_tensordot(X[:, :500], A[:500, :10], backend=backend)
before = size()
hl.sparse_tensordot(X, A, out=out, backend=backend, workers=2)
print(size() - before)
"""


@pytest.mark.parametrize("backend", ["cython", "numba"])
@pytest.mark.parametrize("k", [30_000, 200_000])
def test_scratch_is_below_8_MiB_a_worker(backend, k):
    command = [sys.executable, "-c", GROWTH, backend, str(k)]
    growth = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert int(growth.stdout) < 2 * 8 * 2**20


# --- how A is stored ------------------------------------------------------------------------


@pytest.mark.usefixtures("other_order")
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float64, np.int8])
def test_any_order_duplicates_and_stored_zeros(backend, index, dtype):
    rng = np.random.default_rng(1)
    for rows in (1, 3, 40):
        X = small_integers(1, (rows, 20), dtype)
        starts = np.sort(rng.integers(0, 300, 31)).astype(index)
        starts[0], starts[-1] = 0, 300
        parts = (small_integers(2, 300, dtype), rng.integers(0, 20, 300).astype(index), starts)
        A = scipy.sparse.csc_array(parts, shape=(20, 30))
        assert A.indices.dtype == index
        check(X, A, backend=backend)
        check(X, scipy.sparse.csr_array(parts, shape=(30, 20)), (1, 1), backend=backend)


@pytest.mark.parametrize(("of_A", "of_X"), [(bool, np.int64), (np.int8, np.float64)])
def test_duplicates_add_up_as_A_does(backend, of_A, of_X):
    for format in ("csc", "csr", "coo"):
        A = scipy.sparse.coo_array(
            (np.array([100, 100], of_A), ([1, 1], [0, 0])), shape=(2, 1)
        ).asformat(format)  # fmt: skip
        check(np.ones((3, 2), of_X), A, backend=backend)


@pytest.mark.usefixtures("other_order")
@pytest.mark.parametrize("format", ["csc", "csr"])
@pytest.mark.parametrize("axes", [1, 2])
def test_what_lies_beyond_the_last_start_is_ignored(backend, format, axes):
    D = small_integers(2, (5, 6), float, 0.4)
    A = scipy.sparse.csc_array(D).asformat(format)
    A.data, A.indices = np.append(A.data, [7, 8]), np.append(A.indices, [0, 99])
    X = small_integers(1, (3, 5, 6)[: axes + 1], float)
    result = hl.sparse_tensordot(X, A, axes, backend=backend)
    np.testing.assert_array_equal(result, np.tensordot(X, D, axes))


@pytest.mark.usefixtures("other_order")
@pytest.mark.parametrize("dtype", ["i1", "u2", "i2", ">i2", ">i4", "u4", ">i8", "u8"])
@pytest.mark.parametrize("axes", [1, (1, 1), 2])
def test_any_integers_are_indices(backend, dtype, axes):
    D = small_integers(2, (8, 8), float, 0.4)
    X = small_integers(1, (3, 8, 8), float)
    for format in ("csc", "csr", "bsr", "coo"):
        A = scipy.sparse.csc_array(D).asformat(format)
        if format == "coo":
            A.coords = tuple(array.astype(dtype) for array in A.coords)
        else:
            A.indices, A.indptr = A.indices.astype(dtype), A.indptr.astype(dtype)
        result = hl.sparse_tensordot(X, A, axes, backend=backend)
        np.testing.assert_array_equal(result, np.tensordot(X, D, axes))


def test_indices_of_two_widths(backend):
    A = scipy.sparse.csc_array(small_integers(2, (5, 6), float, 0.4))
    A.indices = A.indices.astype(np.int64)
    assert A.indices.dtype != A.indptr.dtype
    check(np.ones((3, 5)), A, backend=backend)


def test_A_is_left_alone(backend):
    for format in FORMATS:
        A = scipy.sparse.coo_array(
            (np.ones(4, np.int8), ([1, 1, 0, 2], [0, 0, 1, 1])), shape=(3, 2)
        ).asformat(format)  # fmt: skip
        for array in (getattr(A, name, None) for name in ("data", "indices", "indptr", "row")):
            if isinstance(array, np.ndarray):
                array.flags.writeable = False
        before = A.copy()
        hl.sparse_tensordot(np.ones((4, 3)), A, backend=backend)
        assert (before != A).nnz == 0
        assert A.nnz == before.nnz
    A = scipy.sparse.csc_array((np.ones(3), [2, 0, 0], [0, 3, 3]), shape=(3, 2))
    data, indices = A.data, A.indices
    hl.sparse_tensordot(np.ones((4, 3)), A, backend=backend)
    assert A.data is data
    assert A.indices is indices
    assert indices.tolist() == [2, 0, 0]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("rows", [1, 20])
def test_only_stored_elements_let_nan_and_infinity_through(backend, dtype, rows):
    X = np.full((rows, 4), 2, dtype)
    X[0, 1], X[0, 2] = np.nan, np.inf
    A = scipy.sparse.csc_array(
        (np.array([3, 0, 1, np.nan], dtype), [0, 1, 2, 3], [0, 1, 2, 3, 3, 4]), shape=(4, 5)
    )
    result = hl.sparse_tensordot(X, A, backend=backend)
    assert np.isnan(result[0]).tolist()[:2] == [False, True]
    assert not np.isfinite(result[0, 2])
    assert np.isnan(result[:, 4]).all()
    np.testing.assert_array_equal(result[:, [0, 3]], [[6, 0]] * rows)


def test_wide_matrices(backend):
    rng = np.random.default_rng(1)
    k, m, stored = 100_000, 3_000, 20_000
    local = np.sort(rng.integers(0, k, stored))
    for places in (local, rng.integers(0, k, stored)):
        columns = np.sort(rng.integers(0, m, stored))
        A = scipy.sparse.coo_array((rng.integers(1, 9, stored).astype(float), (places, columns)),
                                   shape=(k, m)).tocsc()  # fmt: skip
        X = rng.integers(-9, 9, (21, k)).astype(float)
        np.testing.assert_array_equal(hl.sparse_tensordot(X, A, backend=backend), X @ A)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(1, 30), st.floats(0, 1),
    st.sampled_from([np.int16, np.float64, np.complex64]), st.integers(0, 2**32), st.data(),
)  # fmt: skip
def test_linear_and_equivariant(shape, m, density, dtype, seed, data):
    X, Z = small_integers(seed, shape, dtype), small_integers(seed + 1, shape, dtype)
    axis = data.draw(st.integers(0, len(shape) - 1))
    A = scipy.sparse.csc_array(small_integers(seed + 2, (shape[axis], m), dtype, density))
    order = np.random.default_rng(seed).permutation(shape[axis])
    for backend in ("cython", "numba", "numpy"):

        def product(X, A, backend=backend):
            return hl.sparse_tensordot(X, A, (axis, 0), backend=backend)

        whole = product(X, A)
        np.testing.assert_array_equal(product(X + Z, A), whole + product(Z, A))
        np.testing.assert_array_equal(product(X.take(order, axis), A[order]), whole)


# --- edges ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [bool, np.int16, *FLOATS])
@pytest.mark.parametrize(("shape", "m"), [((0, 3), 4), ((2, 0), 4), ((2, 3), 0), ((2, 0, 3), 4)])
def test_sizes_of_zero(backend, dtype, shape, m):
    X, A = np.ones(shape, dtype), scipy.sparse.csc_array((shape[-1], m), dtype=dtype)
    out = np.ones((*shape[:-1], m), dtype)
    assert hl.sparse_tensordot(X, A, out=out, backend=backend) is out
    assert not out.any()


def test_an_outer_product_of_what_is_stored(backend):
    X = np.array([np.nan, 2])
    A = scipy.sparse.coo_array(([3.0], ([1], [0])), shape=(2, 2))
    expected = [[[0, 0], [np.nan, 0]], [[0, 0], [6, 0]]]
    np.testing.assert_array_equal(hl.sparse_tensordot(X, A, 0, backend=backend), expected)


def test_without_stored_elements(backend):
    X, A = np.full((2, 3), np.nan), scipy.sparse.csc_array((3, 4))
    np.testing.assert_array_equal(hl.sparse_tensordot(X, A, backend=backend), np.zeros((2, 4)))


@pytest.mark.parametrize(("block", "dtype"), [
    ("fill", np.float64), ("fill_complex", np.float32), ("fill_integer", np.uint16),
    ("fill_bool", np.uint8),
])  # fmt: skip
@pytest.mark.parametrize("density", [0.02, 0.5])
def test_a_block_writes_its_own_elements_alone(backend, block, dtype, density):
    rng = np.random.default_rng(1)
    parts = 2 if block == "fill_complex" else 1
    X = rng.integers(0, 2, (300, 40 * parts)).astype(dtype)
    D = rng.integers(0, 2, (40, 90 * parts)) * np.repeat(rng.random((40, 90)) < density, parts, 1)
    stored = D.astype(dtype)
    number = np.result_type(dtype, 1j) if parts == 2 else dtype
    A = scipy.sparse.csc_array(stored.view(number))
    out = np.full((300, 90 * parts), 7, dtype)
    axes = np.array([[300], [40 * parts], [1]], np.intp)
    x, *nonzeros = map(
        _arrays.read_only, (X.reshape(-1), A.data.view(dtype), A.indices, A.indptr)
    )  # fmt: skip
    getattr(resolve(backend, "sparse").load("sparse"), block)(
        32, 231, 10, 80, axes, x, 0, parts, *nonzeros, out
    )
    expected = np.full((300, 90), 7, dtype) + (7j if parts == 2 else 0)
    product = X.view(number) @ stored.view(number)
    expected[32:231, 10:80] = (
        np.minimum(product, 1)[32:231, 10:80] if block == "fill_bool" else product[32:231, 10:80]
    )
    np.testing.assert_array_equal(out.view(number), expected)


@pytest.mark.parametrize(("block", "dtype"), [
    ("scatter", np.float64), ("scatter_complex", np.float32), ("scatter_integer", np.uint16),
    ("scatter_bool", np.uint8),
])  # fmt: skip
def test_a_block_scatters_into_its_own_rows_alone(backend, block, dtype):
    rng = np.random.default_rng(1)
    parts = 2 if block == "scatter_complex" else 1
    number = np.result_type(dtype, 1j) if parts == 2 else dtype
    X = rng.integers(0, 2, (9, 40 * parts)).astype(dtype)
    D = rng.integers(0, 2, (40, 30 * parts)).astype(dtype).view(number)
    A = scipy.sparse.csr_array(D)
    out = np.full((9, 30 * parts), 7, dtype)
    axes = np.array([[9], [40 * parts], [1]], np.intp)
    arrays = X.reshape(-1), A.data.view(dtype), A.indices, A.indptr
    x, values, indices, starts = map(_arrays.read_only, arrays)
    rows = _arrays.read_only(np.arange(40, dtype=indices.dtype))
    getattr(resolve(backend, "sparse").load("sparse"), block)(
        2, 7, axes, x, 0, parts, rows, values, indices, starts, out
    )
    expected = np.full((9, 30), 7, dtype) + (7j if parts == 2 else 0)
    product = (X.view(number) @ D)[2:7]
    expected[2:7] = np.minimum(product, 1) if block == "scatter_bool" else product
    np.testing.assert_array_equal(out.view(number), expected)


# --- advice ---------------------------------------------------------------------------------


class Tensor:
    """As much of torch's sparse tensors as the advice for them calls."""

    __module__ = "torch"

    def __init__(self, D, layout, stage=0):
        self.D, self.layout, self.shape, self.stage = D, layout, list(D.shape), stage

    def detach(self):
        assert self.stage == 0
        return Tensor(self.D, self.layout, 1)

    def cpu(self):
        assert self.stage == 1
        return Tensor(self.D, self.layout, 2)

    def to_sparse_coo(self):
        assert self.stage == 2
        return Tensor(self.D, "torch.sparse_coo", 3)

    def coalesce(self):
        assert self.layout == "torch.sparse_coo"
        return Tensor(self.D, self.layout, 4)

    def indices(self):
        assert self.stage == 4
        return np.stack(self.D.nonzero())

    def values(self):
        assert self.stage == 4
        return self.D[self.D.nonzero()]

    def to_dense(self):
        return self.D

    def __array__(self, dtype=None, copy=None):
        raise TypeError("can't convert Sparse layout tensor to numpy. Use Tensor.to_dense() first.")


class COO:
    """As much of pydata/sparse as the advice for its arrays calls."""

    __module__ = "sparse.numba_backend._coo.core"

    def __init__(self, D):
        self.D, self.shape = D, D.shape

    def asformat(self, format):
        assert format == "coo"
        return ConvertibleCOO(self.D)

    def todense(self):
        return self.D

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Cannot convert a sparse array to dense automatically.")


class ConvertibleCOO(COO):  # a DOK is not
    def to_scipy_sparse(self):
        return scipy.sparse.coo_array(self.D)


class DataArray:
    __module__ = "xarray.core.dataarray"

    def __init__(self, data):
        self.data, self.shape = data, data.shape

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.data)


class Lazy:
    __module__ = "dask.array.core"

    def __init__(self, value):
        self._meta, self.shape = value, value.shape

    def compute(self):
        return self._meta


SPARSE = {
    "pydata": COO,
    "xarray of pydata": lambda D: DataArray(COO(D)),
    "xarray of dask of pydata": lambda D: DataArray(Lazy(COO(D))),
    "dask of scipy": lambda D: Lazy(scipy.sparse.csr_array(D)),
    "torch COO": lambda D: Tensor(D, "torch.sparse_coo"),
    "torch CSR": lambda D: Tensor(D, "torch.sparse_csr"),
    "linear operator": scipy.sparse.linalg.aslinearoperator,
}


def advice(X, A, axes):
    """What the error says after the colon, up to the verb."""
    with pytest.raises(TypeError, match="must be") as raised:
        hl.sparse_tensordot(X, A, axes)
    text = str(raised.value).partition(": ")[2].removeprefix("swap the operands, ")
    for verb in (" makes one", " takes a dense copy", " multiplies", " sums over"):
        text = text.partition(verb)[0]
    scope = {"np": np, "scipy": scipy, "sparse_tensordot": hl.sparse_tensordot}
    return eval(text, scope | {"X": X, "A": A, "axes": axes})


AXES = [1, 0, 2, (0, 0), (-1, 1), ([1, 0], [0, 1]), ([0, -1], [1, 0])]


@pytest.mark.parametrize("make", SPARSE.values(), ids=SPARSE)
def test_what_is_advised_for_another_sparse_A(make):
    X, D = small_integers(1, (4, 4), float), small_integers(2, (4, 4), float, 0.5)
    for axes in AXES:
        check(X, advice(X, make(D), axes), axes)


@pytest.mark.parametrize("make", [np.asarray, np.ndarray.tolist, DataArray])
@pytest.mark.parametrize("axes", AXES)
def test_what_is_advised_for_a_dense_A(make, axes):
    X, D = small_integers(1, (4, 4), float), small_integers(2, (4, 4), float, 0.5)
    np.testing.assert_array_equal(advice(X, make(D), axes), np.tensordot(X, D, axes))


@pytest.mark.parametrize("make", [*SPARSE.values(), scipy.sparse.csr_matrix], ids=[*SPARSE, "csr"])
@pytest.mark.parametrize("axes", AXES)
def test_what_is_advised_for_a_sparse_X(make, axes):
    D, E = small_integers(1, (4, 4), float, 0.5), small_integers(2, (4, 4), float, 0.5)
    expected = np.tensordot(D, E, axes)
    both = advice(make(D), scipy.sparse.csc_array(E), axes)
    both = both.toarray() if scipy.sparse.issparse(both) else both
    np.testing.assert_array_equal(both, expected)
    swapped = advice(make(D), E, axes)
    left = E.ndim - (axes if isinstance(axes, int) else np.size(axes[0]))
    order = [*range(left, swapped.ndim), *range(left)]  # those of X first again
    np.testing.assert_array_equal(swapped.transpose(order), expected)


def test_no_advice_where_there_is_none():
    with pytest.raises(TypeError, match=r"A must be .* of SciPy, got builtins.object$"):
        hl.sparse_tensordot(np.ones((2, 3)), object())


# --- bad input ------------------------------------------------------------------------------

A = scipy.sparse.csc_array(np.ones((3, 4)))


@pytest.mark.parametrize(
    ("X", "A", "axes", "error", "message"),
    [
        (
            np.ones((2, 4)),
            A,
            1,
            ValueError,
            r"got \[4\] along axes \[1\] of X and \[3\] along axes \[0\] of A, .*\(2, 4\) and",
        ),
        (np.ones((2, 3)), A, -1, ValueError, r"axes must be >= 0 and .*\(2, 3\) and .*got -1"),
        (np.ones((2, 3)), A, 3, ValueError, "axes must .* at most the number of dim.*got 3"),
        (np.float64(1), A, 1, ValueError, r"at most the number of dimensions .*shape \(\) and"),
        (np.ones((2, 3)), A, (2, 0), ValueError, r"axes of X .*range .*\(2, 3\).*got \(2, 0\)"),
        (np.ones((2, 3)), A, (1, -3), ValueError, r"axes of A .*range .*\(3, 4\), got \(1, -3\)"),
        (np.ones((3, 3)), A, ([0, -2], [0, 1]), ValueError, "axes of X must not be repeated"),
        (np.ones((3, 3)), A, ([0, 1], [0, -2]), ValueError, "axes of A must not be repeated"),
        (np.ones((3, 3)), A, ([0, 1], [0]), ValueError, "axes must be a number or a pair"),
        (np.ones((3, 3)), A, 1.0, ValueError, "axes must be a number or a pair .*got 1.0"),
        (np.ones((3, 3)), A, ([0, [1]], 0), ValueError, "axes must be a number or a pair"),
        (np.ones((3, 3)), A, None, ValueError, "axes must be a number or a pair .*got None"),
        (np.ones((2, 3), "f2"), A, 1, TypeError, "X must be .*float16"),
        (np.ones((2, 3)), A.astype("g"), 1, TypeError, "A must be .*(longd|float128)"),
        (np.ma.ones((2, 3)), A, 1, TypeError, "X must not be a masked array"),
    ],
)
def test_bad_input(X, A, axes, error, message):
    with pytest.raises(error, match=message):
        hl.sparse_tensordot(X, A, axes)


@pytest.mark.parametrize("format", ["csc", "csr", "bsr", "coo"])
@pytest.mark.parametrize("index", [-1, 1000])
def test_damaged_indices(backend, format, index):
    damaged = scipy.sparse.csc_array(np.eye(4)).asformat(format)
    if format == "coo":
        damaged.coords[0][2] = index
    else:
        damaged.indices[2] = index
    out = np.ones((2, 4))
    with pytest.raises(ValueError, match=rf"A.*{index}.*|A is damaged.*"):
        hl.sparse_tensordot(np.ones((2, 4)), damaged, out=out, backend=backend)
    assert out.all()


@pytest.mark.parametrize("starts", [[1, 1, 2], [0, 2, 1], [0, 1, 9], [0, 2]])
@pytest.mark.parametrize("axes", [1, 2])
def test_damaged_starts(starts, axes):
    for damaged in (scipy.sparse.csc_array(np.eye(2)), scipy.sparse.csr_array(np.eye(2))):
        damaged.indptr = np.array(starts, np.int32)
        with pytest.raises(ValueError, match=r"A.indptr must be 3 numbers .* at most 2"):
            hl.sparse_tensordot(np.ones((2, 2)), damaged, axes)


@pytest.mark.parametrize("axes", [1, (1, 1), 2])
def test_damaged_starts_of_foreign_byte_order(axes):
    for format in ("csc", "csr", "bsr"):
        damaged = scipy.sparse.csc_array(np.eye(4)).asformat(format)
        damaged.data = damaged.data.astype(damaged.dtype.newbyteorder())
        damaged.indptr[1] = 10**8
        with pytest.raises(ValueError, match=r"A.indptr must be \d numbers"):
            hl.sparse_tensordot(np.ones((4, 4)), damaged, axes)


@pytest.mark.parametrize("format", ["bsr", "coo", "csc", "csr", "dia"])
@pytest.mark.parametrize("dtype", [np.int16, np.float64])
def test_values_of_foreign_byte_order(backend, format, dtype):
    D = small_integers(2, (6, 8), dtype, 0.4)
    A = scipy.sparse.coo_array(D).asformat(format)
    A.data = A.data.astype(A.dtype.newbyteorder())
    for of_X in (dtype, np.complex128):
        X = small_integers(1, (5, 6), of_X)
        result = hl.sparse_tensordot(X, A, backend=backend)
        np.testing.assert_array_equal(result, X @ D)


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("rows", [[], [[0], [1, 2], [2], [3]], [[0], None, [2], [3]]])
def test_damaged_lists(axes, rows):
    damaged = scipy.sparse.lil_array(np.eye(4))
    damaged.rows = np.array([*rows, None], object)[:-1]
    with pytest.raises(ValueError, match="A is damaged"):
        hl.sparse_tensordot(np.ones((4, 4)), damaged, axes)


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("change", [
    lambda index: index.astype(float), lambda index: index[:-1], lambda index: index[:, None],
    lambda index: index - np.uint64(1),
])  # fmt: skip
def test_damaged_index_arrays(axes, change):
    X = np.ones((4, 4))
    for format in ("csc", "csr"):
        for name in ("indices", "indptr"):
            damaged = scipy.sparse.csc_array(np.eye(4)).asformat(format)
            setattr(damaged, name, change(getattr(damaged, name)))
            with pytest.raises(ValueError, match=f"A.{name} must be .*A is damaged"):
                hl.sparse_tensordot(X, damaged, axes)
    damaged = scipy.sparse.coo_array(np.eye(4))
    damaged.coords = (change(damaged.coords[0]), damaged.coords[1])
    with pytest.raises(ValueError, match=r"A.coords\[0\] must be .*A is damaged"):
        hl.sparse_tensordot(X, damaged, axes)


def test_bad_out():
    X = np.ones((3, 3))
    square = scipy.sparse.csc_array((X.ravel().copy(), np.tile([0, 1, 2], 3), [0, 3, 6, 9]))
    for out, message in [
        (np.ones((3, 4)), r"shape \(3, 3\).*got shape \(3, 4\)"),
        (np.ones((3, 3), np.float32), "dtype float64, got .*float32"),
        (np.ones((3, 6))[:, ::2], "C-contiguous"),
        (X, "share memory with X"),
        (square.data.reshape(3, 3), "share memory with A"),
    ]:
        before = out.copy()
        for A in (square, square.T):
            with pytest.raises(ValueError, match=message):
                hl.sparse_tensordot(X, A, out=out)
        np.testing.assert_array_equal(out, before)
    places = np.arange(3, dtype=np.int64)
    A = scipy.sparse.coo_array((np.ones(3, np.int64), (places, places)), shape=(3, 3))
    A.coords = (places, places.copy())
    with pytest.raises(ValueError, match=r"share memory with A.coords\[0\]"):
        hl.sparse_tensordot(np.ones((1, 3), np.int64), A, out=places[None])
    np.testing.assert_array_equal(places, range(3))
