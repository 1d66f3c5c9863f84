import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from sparse_oracles import any_bits, check, small_integers

import hotloops as hl
from hotloops import _arrays, sparse
from hotloops._run import resolve
from hotloops._run.backends import names

FLOATS = [np.float32, np.float64, np.complex64, np.complex128]
INTEGERS = [np.dtype(c) for c in "bBhHiIlLqQ"]
FORMATS = ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"]


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


@pytest.mark.parametrize("backend", names())
@pytest.mark.parametrize("dtype", [np.int16, np.float64, np.complex64])
@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(1, 30), st.floats(0, 1),
    st.integers(0, 2**32), st.data(),
)  # fmt: skip
def test_linear_and_equivariant(dtype, backend, shape, m, density, seed, data):
    X, Z = small_integers(seed, shape, dtype), small_integers(seed + 1, shape, dtype)
    axis = data.draw(st.integers(0, len(shape) - 1))
    A = scipy.sparse.csc_array(small_integers(seed + 2, (shape[axis], m), dtype, density))
    order = np.random.default_rng(seed).permutation(shape[axis])

    def product(X, A):
        return hl.sparse_tensordot(X, A, (axis, 0), backend=backend)

    whole = product(X, A)
    np.testing.assert_array_equal(product(X + Z, A), whole + product(Z, A))
    np.testing.assert_array_equal(product(X.take(order, axis), A[order]), whole)


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
