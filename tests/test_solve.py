from fractions import Fraction

import numpy as np
import pytest
from hotloops.kernels.solve import GROUP
from hypothesis import given, settings
from hypothesis import strategies as st

import hotloops as hl
from hotloops import solve as module
from hotloops._run import resolve

DTYPES = [np.float32, np.float64, np.complex64, np.complex128]
EPS = np.finfo(float).eps
METHODS = ["gen", "pos"]


def systems(seed, count, n, dtype=np.float64, method="gen"):
    """Well-conditioned, most of them; with "pos" the upper triangle is not the matrix's."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(count, n, n)).astype(dtype)
    if A.dtype.kind == "c":
        A += 1j * rng.normal(size=A.shape).astype(A.real.dtype)
    if method == "pos":
        A = A @ A.conj().swapaxes(1, 2) + n * np.eye(n, dtype=dtype)
        A = np.tril(A) + 7 * np.triu(np.ones_like(A), 1)
    return A


def hermitian(A):
    """The matrices whose lower triangle is A's."""
    lower = np.tril(A, -1)
    return (
        lower + lower.conj().swapaxes(1, 2) + np.einsum("sii,ij->sij", A.real, np.eye(A.shape[1]))
    )


def right_hand_sides(seed, A, columns):
    b = np.random.default_rng(seed).normal(size=(*A.shape[:2], columns)).astype(A.dtype)
    return b * (1 + 0.5j) if A.dtype.kind == "c" else b


def backward_error(A, b, x):
    """The largest |b - A x| over |A| |x| + |b|, in the norm of the largest row."""
    wide = np.clongdouble if A.dtype.kind == "c" else np.longdouble
    A, b, x = (array.astype(wide) for array in (A, b, x))

    def norm(array):
        return np.abs(array).sum(axis=2).max(axis=1)

    return float((norm(b - A @ x) / (norm(A) * norm(x) + norm(b))).max())


def eliminated(A, b):
    """x in rational numbers, and A's inverse."""
    n = len(A)
    identity = [[Fraction(int(i == j)) for j in range(n)] for i in range(n)]
    rows = [[Fraction(v) for v in (*A[i], b[i])] + identity[i] for i in range(n)]
    for k in range(n):
        p = next(i for i in range(k, n) if rows[i][k])
        rows[k], rows[p] = rows[p], rows[k]
        rows[k] = [v / rows[k][k] for v in rows[k]]
        for i in range(n):
            if i != k:
                rows[i] = [u - rows[i][k] * v for u, v in zip(rows[i], rows[k], strict=True)]
    return [row[n] for row in rows], [row[n + 1 :] for row in rows]


# --- against the truth ----------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
def test_within_what_the_condition_allows_of_the_rational_solution(backend, n, method):
    A, b = systems(n, 20, n, method=method), np.random.default_rng(1).normal(size=(20, n))
    A[0] = 1 / (np.arange(n)[:, None] + np.arange(n) + 1.0)  # Hilbert's
    x = hl.solve_many(A, b, assume_a=method, vectors=True, backend=backend)
    matrices = hermitian(A) if method == "pos" else A
    for k in range(20):
        exact, inverse = eliminated(matrices[k], b[k])
        error = max(abs(Fraction(v) - e) for v, e in zip(x[k], exact, strict=True))
        condition = max(sum(map(abs, row)) for row in inverse) * Fraction(
            np.abs(matrices[k]).sum(axis=1).max()
        )
        assert error <= 8 * Fraction(2) ** -53 * condition * max(map(abs, exact))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    # both sides of the switch to LAPACK: by size, by columns and by the number of systems
    ("count", "n", "columns"),
    [(37, 1, 1), (4, 3, 2), (3, 4, 3), (33, 7, 5), (35, 16, 1), (20, 17, 48), (5, 17, 49),
     (19, 48, 2), (5, 49, 3), (1, 70, 80)],
)  # fmt: skip
def test_the_backward_error_is_some_units(backend, dtype, count, n, columns, method):
    A = systems(n, count, n, dtype, method)
    b = right_hand_sides(n, A, columns)
    x = hl.solve_many(A, b, assume_a=method, backend=backend)
    assert x.dtype == dtype
    assert x.shape == b.shape
    matrices = hermitian(A) if method == "pos" else A
    assert backward_error(matrices, b, x) < 8 * np.finfo(dtype).eps


@pytest.mark.parametrize("n", [2, 5, 9, 50])
def test_each_system_has_its_own_row_exchanges(backend, n):
    rng = np.random.default_rng(1)
    A, x = np.zeros((40, n, n)), rng.integers(-99, 100, (40, n)).astype(float)
    for k in range(40):
        A[k, rng.permutation(n), np.arange(n)] = 2.0 ** rng.integers(-9, 10, n)
    b = np.einsum("kij,kj->ki", A, x)
    np.testing.assert_array_equal(hl.solve_many(A, b, vectors=True, backend=backend), x)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("n", [2, 60])
def test_small_pivots_are_not_taken(backend, n, dtype):
    A = np.broadcast_to(np.eye(n, dtype=dtype), (5, n, n)).copy()
    A[:, :2, :2] = [[1e-20, 1], [1, 1]]
    b = np.zeros((5, n), dtype)
    b[:, :2] = [1, 2]
    expected = np.zeros((5, n))
    expected[:, :2] = 1
    x = hl.solve_many(A, b, vectors=True, backend=backend)
    np.testing.assert_allclose(x, expected, rtol=1e-15, atol=0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("power", [-1020, -500, 500, 1015])
def test_the_whole_range(backend, dtype, power, method):
    A = systems(1, 6, 4, dtype, method)
    b = right_hand_sides(1, A, 1)
    A, b = A * 2.0**power, b * 2.0**power
    x = hl.solve_many(A, b, assume_a=method, backend=backend)
    matrices = hermitian(A) if method == "pos" else A
    assert backward_error(matrices, b, x) < 8 * np.finfo(dtype).eps


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 40), st.integers(1, 4), st.integers(0, 2**32))
def test_the_place_of_a_system_does_not_matter(n, count, columns, seed):
    A = systems(seed, count + 3, n)
    b = right_hand_sides(seed, A, columns)
    order = np.random.default_rng(seed).permutation(count + 3)
    for backend in ("cython", "numba"):
        x = hl.solve_many(A, b, backend=backend)
        np.testing.assert_array_equal(hl.solve_many(A[order], b[order], backend=backend), x[order])


@pytest.mark.parametrize("backend", ["cython", "numba"])
def test_pieces_of_a_batch_fill_the_lanes(backend):
    assert GROUP % resolve(backend, "solve").load("solve").LANES == 0


# --- shapes and types -----------------------------------------------------------------------


SHAPES = [
    ((3, 3), (3,)),
    ((3, 3), (3, 2)),
    ((3, 3), (5, 3, 2)),
    ((5, 3, 3), (3,)),
    ((5, 3, 3), (3, 2)),
    ((5, 3, 3), (5, 3, 2)),
    ((5, 3, 3), (1, 3, 2)),
    ((5, 3, 3), (2, 1, 3, 2)),
    ((3, 3, 3), (3, 3)),  # one matrix, not three vectors
    ((3, 3, 3), (3, 3, 3)),
    ((2, 1, 3, 3), (4, 3, 2)),
    ((2, 1, 3, 3), (1, 4, 3, 2)),
    ((0, 3, 3), (0, 3, 1)),
    ((0, 3, 3), (3,)),
    ((4, 0, 0), (4, 0, 2)),
    ((4, 3, 3), (4, 3, 0)),
]


@pytest.mark.parametrize(("A", "b"), SHAPES)
def test_shapes_are_those_of_numpy_2(backend, A, b):
    rng = np.random.default_rng(1)
    A, b = rng.normal(size=A), rng.normal(size=b)
    result = hl.solve_many(A, b, backend=backend)
    expected = np.linalg.solve(A, b)
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("A", "b"),
    [
        ((3, 3), (3,)),
        ((3, 3), (5, 3)),  # one A for many b
        ((5, 3, 3), (3,)),  # one b for many A
        ((5, 3, 3), (5, 3)),
        ((3, 3, 3), (3, 3)),  # three vectors
        ((1, 3, 3), (5, 3)),
        ((2, 1, 3, 3), (4, 3)),
        ((5, 3, 3), (2, 1, 3)),
        ((0, 3, 3), (0, 3)),
        ((4, 0, 0), (4, 0)),
    ],
)
def test_shapes_with_vectors(backend, A, b):
    rng = np.random.default_rng(1)
    A, b = rng.normal(size=A), rng.normal(size=b)
    result = hl.solve_many(A, b, vectors=True, backend=backend)
    expected = np.linalg.solve(A, b[..., None])[..., 0]
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=1e-12)


@pytest.mark.parametrize("A", [(1000, 5, 5), (5, 5)])
def test_an_error_that_names_vectors(A):
    A, b = np.broadcast_to(2 * np.eye(5), A), np.ones((1000, 5))
    with pytest.raises(ValueError, match=r"b must .*\(1000, 5\) .*: vectors=True takes"):
        hl.solve_many(A, b)
    np.testing.assert_array_equal(hl.solve_many(A, b, vectors=True), np.full((1000, 5), 0.5))


@pytest.mark.parametrize(
    ("A", "b", "dtype"),
    [
        ("f4", "f4", "f4"), ("f4", "f8", "f8"), ("f4", "c8", "c8"), ("f8", "c8", "c16"),
        ("i4", "f4", "f8"), ("?", "i1", "f8"), (">f8", "f4", "f8"),
    ],
)  # fmt: skip
def test_dtypes(A, b, dtype):
    result = hl.solve_many(np.ones((5, 1, 1), A), np.ones((5, 1), b), vectors=True)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, 1)


# --- systems without a solution -------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 50])
def test_singular_systems_are_named(backend, n):
    A = systems(1, 40, n)
    b = right_hand_sides(1, A, 1)[..., 0]
    expected = hl.solve_many(A, b, vectors=True, backend=backend)
    singular = [3, 17, 39]
    A[singular, :, 1] = 0
    out = np.empty_like(b)
    with pytest.raises(np.linalg.LinAlgError, match=r"A is singular at 3 of 40 .*: 3, 17, 39$"):
        hl.solve_many(A, b, vectors=True, out=out, backend=backend)
    assert np.isnan(out[singular]).all()
    others = np.delete(np.arange(40), singular)
    np.testing.assert_array_equal(out[others], expected[others])


@pytest.mark.parametrize("n", [2, 50])
def test_matrices_that_are_not_positive_definite_are_named(backend, n):
    A = systems(1, 12, n, method="pos")
    A[5] *= -1
    A[7, 1, 1] = 0
    A[11, 1, 0] = 1e9
    with pytest.raises(
        np.linalg.LinAlgError,
        match=r"not positive definite at 3 of 12 .*: \(1, 1\), \(1, 3\), \(2, 3\); the first has",
    ):
        hl.solve_many(A.reshape(3, 4, n, n), np.ones(n), assume_a="pos", backend=backend)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.zeros((2, 2)), "is singular"),
        ([[1e-200, 0], [0, 0]], "is singular"),
        ([[1, 1], [1, 1]], "is singular"),
        ([[0, 1], [1, 0]], "has the eigenvalue -1"),
        ([[1, 0], [2j, 1]], "has the eigenvalue -1"),
        (np.full((50, 50), -2.0, np.float32), "has the eigenvalue -100"),
    ],
)
def test_why_a_matrix_is_not_positive_definite(backend, matrix, message):
    many = np.broadcast_to(matrix, (5, *np.shape(matrix)))
    for A, which in ((many[0], "it"), (many, "the first")):
        with pytest.raises(np.linalg.LinAlgError, match=f"not positive.*; {which} {message}$"):
            hl.solve_many(A, np.ones(A.shape[-1]), assume_a="pos", backend=backend)


def test_few_or_one_of_those_without_a_solution_are_named():
    with pytest.raises(np.linalg.LinAlgError, match=r"^A is singular$"):
        hl.solve_many(np.zeros((2, 2)), np.ones(2))
    with pytest.raises(
        np.linalg.LinAlgError, match=r"at 20 .*: 0, 1, 2, 3, 4, 5, 6, 7 and 12 more"
    ):
        hl.solve_many(np.zeros((20, 2, 2)), np.ones(2))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("n", [3, 50])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_system(backend, value, n, dtype, method):
    A = systems(1, 20, n, dtype, method)
    b = right_hand_sides(1, A, 2)
    expected = hl.solve_many(A, b, assume_a=method, backend=backend)
    A[4, 2, 1], b[9, 1, 0] = value, value
    x = hl.solve_many(A, b, assume_a=method, backend=backend)
    assert np.isnan(x[4]).all()
    assert not np.isfinite(x[9, :, 0]).all()
    expected[4], expected[9, :, 0], x[9, :, 0] = np.nan, 0, 0
    # LAPACK may take the columns of b together
    np.testing.assert_allclose(x[9], expected[9], rtol=1e-12)
    np.testing.assert_array_equal(np.delete(x, 9, axis=0), np.delete(expected, 9, axis=0))


# --- large ones, whose factors all workers make ---------------------------------------------


LARGE = {"gen": 460, "pos": 650}


@pytest.mark.parametrize("method", METHODS)
def test_a_large_system(backend, method):
    A = systems(1, 1, LARGE[method], method=method)
    b, kept = right_hand_sides(1, A, 3), {"assume_a": method, "backend": backend}
    x = hl.solve_many(A, b, **kept)
    assert backward_error(hermitian(A) if method == "pos" else A, b, x) < 8 * EPS
    one = hl.solve_many(A[0], b[0, :, 1], **kept)
    np.testing.assert_allclose(one, x[0, :, 1], rtol=1e-9, atol=1e-12)
    b[0, 7, 1] = np.nan
    some = hl.solve_many(A, b, **kept)
    assert np.isnan(some[..., 1]).any()
    np.testing.assert_allclose(some[..., ::2], x[..., ::2], rtol=1e-9, atol=1e-12)
    A[0, 9, 5] = -np.inf
    assert np.isnan(hl.solve_many(A, b, **kept)).all()
    A[0, 9, 5], A[0, 9, 9], A[0, :, 1] = 1, -1, 0
    out, what = np.ones_like(b), "positive definite" if method == "pos" else "singular"
    with pytest.raises(np.linalg.LinAlgError, match=f"A is .*{what} at 1 of 1 indices: 0"):
        hl.solve_many(A, b, out=out, **kept)
    assert np.isnan(out).all()


@pytest.mark.parametrize("method", METHODS)
def test_large_systems_are_solved_in_turn(backend, method, monkeypatch):
    A = systems(1, 6, 60, method=method)
    A[2, 40, 3], A[3, 1:, 1] = np.nan, 0
    A[3, 1, 1] = -1 if method == "pos" else 0
    A[3, 1, 0] = A[3, 0, 1] = 0
    b, found = right_hand_sides(1, A, 2), []
    for border in (61, 60):
        monkeypatch.setattr(module, "_LARGE", border)
        found.append(np.ones_like(b))
        with pytest.raises(np.linalg.LinAlgError, match="at 1 of 6 indices: 3"):
            hl.solve_many(A, b, assume_a=method, out=found[-1], backend=backend)
        assert np.isnan(found[-1]).all(axis=(1, 2)).tolist() == [k in (2, 3) for k in range(6)]
    np.testing.assert_allclose(*found, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("method", METHODS)
def test_workers_do_not_matter_to_a_large_system(method):
    A = systems(1, 1, LARGE[method], method=method)
    b = right_hand_sides(1, A, 100)
    one, *others = (
        hl.solve_many(A, b, assume_a=method, backend="cython", workers=k) for k in (1, 2, 7)
    )
    for other in others:
        assert other.tobytes() == one.tobytes()


def test_the_upper_triangle_is_not_read(backend):
    for n in (4, 60) if backend != "cython" else (4, 60, 650):
        A = systems(1, 1 if n > 60 else 6, n, np.complex128, "pos")
        b = right_hand_sides(1, A, 1)
        expected = hl.solve_many(A, b, assume_a="pos", backend=backend)
        A[:, np.arange(n) > np.arange(n)[:, None]] = np.nan
        A += 5j * np.eye(n)  # nor what a Hermitian matrix cannot have
        np.testing.assert_array_equal(
            hl.solve_many(A, b, assume_a="pos", backend=backend), expected
        )


# --- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("A", "b", "keywords", "error", "message"),
    [
        (np.ones(3), np.ones(3), {}, ValueError, r"A must have shape .*n, n\), got \(3,\)"),
        (np.ones((4, 3, 2)), np.ones((4, 3)), {}, ValueError, r"A must .*got \(4, 3, 2\)"),
        (
            np.ones((4, 3, 3)),
            np.ones((4, 2)),
            {},
            ValueError,
            r"b must .*n = 3, got \(4, 2\) .*\)$",
        ),
        (
            np.ones((3, 3)),
            1.0,
            {},
            ValueError,
            r"b must have shape \(n,\) or \(..., n, c\).*got \(\)",
        ),
        (np.ones((3, 3)), np.ones((4, 2)), {"vectors": True}, ValueError, r"b .*\(..., n\) with v"),
        (np.ones((3, 3)), 1.0, {"vectors": True}, ValueError, r"b must .*vectors=True.*got \(\)"),
        (np.ones((4, 3, 3)), np.ones((5, 3, 1)), {}, ValueError, r"leading axes.*\(4,\) and \(5,"),
        (np.ones((1, 1)), np.ones(1), {"assume_a": "sym"}, ValueError, "assume_a .*'gen', 'pos'"),
        (np.ones((1, 1), "f2"), np.ones(1), {}, TypeError, "A must be .*float16"),
        (np.ones((1, 1)), np.array([{}]), {}, TypeError, "b must be .*got dict at b"),
        (np.ones((1, 1)), np.ones(1), {"out": np.ones(2)}, ValueError, r"out .*shape \(1,\)"),
    ],
)
def test_bad_input(A, b, keywords, error, message):
    with pytest.raises(error, match=message):
        hl.solve_many(A, b, **keywords)


def test_out_must_not_be_an_input():
    A, b = np.ones((4, 1, 1)), np.ones((4, 1))
    with pytest.raises(ValueError, match="share memory with b"):
        hl.solve_many(A, b, vectors=True, out=b)
    with pytest.raises(ValueError, match="share memory with A"):
        hl.solve_many(A, b, vectors=True, out=A[:, 0])
