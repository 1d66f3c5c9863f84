"""The covariance matrix as an operator that does not hold it."""

import copy
import pickle
import tracemalloc

import numpy as np
import pytest
import scipy.sparse.linalg
from ard_oracles import DTYPES, PROFILES, points

import hotloops as hl
from hotloops._run import resolve
from hotloops._run.backends import names


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", PROFILES)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (65, 513), (700, 130)])
def test_operator(backend, dtype, kind, n, m):
    X, Y, V = points(1, n, 4, dtype), points(2, m, 4, dtype), points(3, m, 3, dtype)
    keywords = {"kind": kind, "length_scale": 1.5, "variance": 2.0}
    op = hl.KernelOperator(X, Y, **keywords, backend=backend)
    k = hl.ard_kernel(X, Y, **keywords, backend=backend).astype(np.float64)
    assert op.shape == (n, m)
    assert op.dtype == dtype
    tolerance = {"rtol": 0, "atol": 20 * np.finfo(dtype).eps * m}
    np.testing.assert_allclose(op @ V, k @ V, **tolerance)
    np.testing.assert_allclose(op @ V[:, 0], k @ V[:, 0], **tolerance)
    W = points(4, n, 2, dtype)
    np.testing.assert_allclose(op.T @ W, k.T @ W, rtol=0, atol=20 * np.finfo(dtype).eps * n)
    np.testing.assert_allclose(op.rmatvec(W[:, 0]), k.T @ W[:, 0], rtol=0,
                               atol=20 * np.finfo(dtype).eps * n)  # fmt: skip
    np.testing.assert_allclose(op.diagonal(), np.diag(k), rtol=10 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(op.toarray(), k)
    one = hl.KernelOperator(X, Y, **keywords, backend=backend, workers=1)
    assert (op @ V).tobytes() == (one @ V).tobytes()


def test_operator_of_one_set(backend):
    X, V = points(1, 300, 3), points(2, 300, 2)
    op = hl.KernelOperator(X, noise_variance=0.25, backend=backend)
    k = hl.ard_kernel(X, noise_variance=0.25, backend=backend)
    np.testing.assert_allclose(op @ V, k @ V, atol=1e-12)
    np.testing.assert_allclose(op.T @ V, k @ V, atol=1e-12)
    np.testing.assert_allclose(op @ (V + 1j), k @ (V + 1j), atol=1e-12)
    assert (op.diagonal() == 1.25).all()
    assert (op @ np.zeros((300, 0))).shape == (300, 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [3, 24])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (70, 70), (700, 130), (130, 700), (400, 5000)])
def test_the_diagonal_is_that_of_the_array(backend, dtype, d, n, m):
    X, Y = points(1, n, d, dtype), points(2, m, d, dtype)
    Y[: min(n, m)] = X[: min(n, m)] + 0.1 * Y[: min(n, m)]
    X[-1, 0] = np.nan
    X[n // 2, -1] = np.inf
    keywords = {"kind": "matern32", "length_scale": 1.5 * np.sqrt(d), "variance": 1.3,
                "backend": backend}  # fmt: skip
    operators = [hl.KernelOperator(X, Y, **keywords)]
    if n == m:
        operators.append(hl.KernelOperator(X, noise_variance=0.1, **keywords))
        assert np.isnan(operators[1].diagonal()[[-1, n // 2]]).all()
    for op in operators:
        for each in (op, op.T):
            diagonal = each.diagonal()
            np.testing.assert_array_equal(diagonal, each.toarray().diagonal())
            assert diagonal.dtype == dtype


@pytest.mark.parametrize("d", [3, 24])
def test_the_transposed_operator(backend, d):
    X, Y, V = points(1, 70, d), points(2, 90, d), points(3, 70, 2)
    op = hl.KernelOperator(X, Y, length_scale=2.0, backend=backend)
    for turned in (op.T, op.H, op.transpose(), op.adjoint()):
        assert isinstance(turned, hl.KernelOperator)
        assert turned.shape == (90, 70)
        k = hl.ard_kernel(Y, X, length_scale=2.0, backend=backend)
        np.testing.assert_array_equal(turned.toarray(), k)
        np.testing.assert_allclose(turned @ V, k @ V, rtol=0, atol=1e-13)
        np.testing.assert_array_equal(turned @ V, (V.T @ op).T)
        np.testing.assert_array_equal(turned @ V, op.rmatmat(V))
    np.testing.assert_array_equal(op.T.T.toarray(), op.toarray())
    assert op.shape == op.T.T.shape == (70, 90)
    one = hl.KernelOperator(X, length_scale=2.0, noise_variance=0.1, backend=backend)
    np.testing.assert_array_equal(one.T.toarray(), one.toarray())
    np.testing.assert_array_equal(one.T.diagonal(), one.diagonal())
    np.testing.assert_array_equal(one.T @ V, one @ V)


@pytest.mark.parametrize("remake", [
    copy.copy, copy.deepcopy, lambda op: pickle.loads(pickle.dumps(op)),
])  # fmt: skip
def test_operators_can_be_copied_and_pickled(backend, remake):
    X, Y, V = points(1, 30, 3), points(2, 40, 3), points(3, 40, 2)
    op = hl.KernelOperator(X, Y, factors=points(4, 3, 1), backend=backend, workers=2)
    with hl.set_backend(names()[names().index(backend) - 1]):  # another one
        again = remake(op)
        np.testing.assert_array_equal(again @ V, op @ V)
        np.testing.assert_array_equal(again.T.toarray(), op.T.toarray())
    assert again._kept == op._kept == (backend, 2)
    assert (again.shape, again.dtype) == (op.shape, op.dtype)


def test_an_operator_whose_backend_is_missing(monkeypatch):
    op = hl.KernelOperator(points(1, 3, 2), backend="numba")
    pickled = pickle.dumps(op)
    monkeypatch.setattr(resolve("numba", "ard"), "_blocks", {})
    monkeypatch.setitem(resolve("numba", "ard")._loaded, "ard", ImportError("the reason"))
    with pytest.raises(ImportError, match="the reason"):
        pickle.loads(pickled) @ np.ones(3)
    with pytest.raises(ImportError, match="the reason"):
        hl.KernelOperator(points(1, 3, 2), backend="numba")


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("dtype", DTYPES)
def test_operator_takes_what_scipys_operators_take(backend, dtype):
    X, Y = points(1, 30, 3, dtype), points(2, 40, 3, dtype)
    op = hl.KernelOperator(X, Y, length_scale=2.0, backend=backend)
    dense = scipy.sparse.linalg.aslinearoperator(op.toarray())
    V = points(3, 40, 2, dtype)
    complex_dtype = np.result_type(dtype, np.complex64)
    tolerance = {"rtol": 0, "atol": 500 * np.finfo(dtype).eps}
    for v in (V, V[:, 0], V[:, :1], V[:, :0], np.asfortranarray(V), V[::-1], V.tolist(),
              V[:, 0].tolist(), np.matrix(V), np.matrix(V[:, :1]), V.astype(int), V > 0,
              V - 2j * V[:, ::-1], (1j * V)[:, 0], (1j * V)[:, :0], np.asfortranarray(1j * V),
              (1j * V).tolist()):  # fmt: skip
        result, expected = op @ v, dense @ np.asarray(v)
        assert type(result) is type(expected)
        assert result.shape == expected.shape
        assert result.dtype == (complex_dtype if np.iscomplexobj(v) else dtype)
        np.testing.assert_allclose(result, expected, **tolerance)
    column = op.matvec(np.matrix(V[:, :1]))
    assert type(column) is np.matrix
    np.testing.assert_array_equal(np.asarray(column), op @ V[:, :1])
    np.testing.assert_array_equal(op.matmat(np.matrix(V)), op @ V)
    np.testing.assert_allclose((2 * op) @ V, 2 * (op @ V), **tolerance)
    np.testing.assert_allclose((op @ op.T) @ X, op @ (op.T @ X), **tolerance)


def test_a_complex_products_parts_are_apart(backend):
    op = hl.KernelOperator(points(1, 5, 2), backend=backend)
    V = np.ones(5, complex)
    V[3] = complex(1, np.inf)
    product = op @ V
    np.testing.assert_allclose(product.real, op @ np.ones(5), rtol=1e-14)
    assert (product.imag == np.inf).all()


def test_operator_names_what_it_refuses():
    op = hl.KernelOperator(np.zeros((3, 1)), np.zeros((4, 1)))
    for product, V, error, message in [
        (op.dot, np.ones(3), ValueError, r"V must have shape \(4\) or \(4, columns\), got \(3,\)"),
        (op.__matmul__, np.ones((3, 4)), ValueError, r"V must have shape .* got \(3, 4\)"),
        (op.dot, np.ones((4, 1, 1)), ValueError, r"V must have shape .* got \(4, 1, 1\)"),
        (op.dot, np.array(3.0), ValueError, r"V must have shape .* got \(\)"),
        (op, np.ones(5), ValueError, r"V must have shape .* got \(5,\)"),
        (
            op.matvec,
            np.ones((4, 2)),
            ValueError,
            r"V .* \(4\) or \(4, 1\), got \(4, 2\)",
        ),
        (op.matmat, np.ones(4), ValueError, r"V must have shape \(4, columns\), got \(4,\)"),
        (op.rmatvec, np.ones(4), ValueError, r"V must have shape \(3\) or \(3, 1\), got \(4,\)"),
        (op.rmatmat, np.ones((4, 1)), ValueError, r"V must have shape \(3, columns\), got"),
        (op.T.dot, np.ones(4), ValueError, r"V must have shape \(3\) or \(3, columns\), got \(4,"),
        (op.dot, np.ones(4, "f2"), TypeError, "V must be .* got dtype float16"),
        (op.dot, np.ones(4, "G"), TypeError, "V must be .* got dtype c"),
        (op.dot, ["a"] * 4, TypeError, "V must be .* got strings"),
        (
            op.dot,
            scipy.sparse.eye(4).tocsr(),
            TypeError,
            r"V .* sparse, pass V.toarray\(\)",
        ),
    ]:
        with pytest.raises(error, match=message):
            product(V)


def test_operator_in_scipy():
    X = points(1, 200, 2)
    op = hl.KernelOperator(X, length_scale=0.5, noise_variance=0.1)
    k = op.toarray()
    b = points(2, 200, 1).ravel()
    solution, info = scipy.sparse.linalg.cg(op, b, rtol=1e-10)
    assert info == 0
    np.testing.assert_allclose(solution, np.linalg.solve(k, b), atol=1e-7)
    values = scipy.sparse.linalg.eigsh(op, 3, return_eigenvectors=False)
    np.testing.assert_allclose(np.sort(values), np.linalg.eigvalsh(k)[-3:], rtol=1e-9)


def test_operator_holds_no_matrix():
    X, V = points(1, 6000, 4), points(2, 6000, 2)
    op = hl.KernelOperator(X)
    op @ V
    tracemalloc.start()
    try:
        op @ V
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20 * X.nbytes


@pytest.mark.parametrize("d", [2, 20])
def test_empty_operators(backend, d):
    for n, m in [(0, 3), (3, 0), (0, 0)]:
        op = hl.KernelOperator(np.zeros((n, d)), np.zeros((m, d)), backend=backend)
        np.testing.assert_array_equal(op.T @ np.ones(n), np.zeros(m))
        np.testing.assert_array_equal(op @ np.ones(m), np.zeros(n))
        assert op.toarray().shape == (n, m)
        assert op.diagonal().shape == (0,)
