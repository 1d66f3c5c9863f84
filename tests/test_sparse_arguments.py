import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg
from sparse_oracles import check, small_integers

import hotloops as hl

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
