"""Cholesky's factor by tiles: against what defines it, and against exact arithmetic."""

import functools

import mpmath
import numpy as np
import pytest
from lstsq_oracles import exactly, inverted, make
from scipy.linalg import hilbert

import hotloops as hl
from hotloops._factors import cholesky
from hotloops._run import lines, tasks

EPS = np.finfo(float).eps


def definite(n, dtype=np.float64):
    half = make((n, n), dtype)
    return half @ half.conj().T + n * np.eye(n)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("n", [1, 8, 9, 17, 50])
def test_factor_and_solutions(n, dtype, backend):
    a, b = definite(n, dtype), make((3, n), dtype, 1)
    mixed = np.tril(a) + np.triu(np.full_like(a, np.nan), 1)  # one triangle is all that is read
    found, share = cholesky.factor(mixed, backend, width=8)
    lower = np.tril(found)
    np.testing.assert_allclose(lower @ lower.conj().T, a, atol=20 * n * n * EPS)
    np.testing.assert_allclose(share, lower.diagonal().real ** 2 / a.diagonal().real, rtol=1e-13)
    one = cholesky.solve(lower, b.copy(), adjoint=True, backend=backend)
    np.testing.assert_allclose(one @ lower.conj().T, b, atol=1e-13)
    both = cholesky.solve(lower, one, adjoint=False, backend=backend)
    np.testing.assert_allclose(both @ a, b, atol=1e-12)


def test_the_inverse_of_whole_numbers(backend):
    half = np.round(9 * make((30, 30)))
    a = half @ half.T + 30 * np.eye(30)
    exact, rows = inverted(exactly(a)).astype(float), make((2, 30), seed=1)
    mixed = np.tril(a) + np.triu(np.full_like(a, np.nan), 1)  # one triangle is all that is read
    found, share, x = cholesky.inverse(mixed, rows, backend=backend, width=4)
    size = np.abs(exact).max()
    np.testing.assert_allclose(np.triu(found), np.triu(exact), rtol=0, atol=1e-13 * size)
    np.testing.assert_allclose(x, rows @ exact, rtol=0, atol=1e-13)
    folded, again, _ = cholesky.inverse(
        np.tril(a), rows, scale=-2.0, weight=0.5, twice=True, backend=backend, width=4
    )
    whole = x.T @ x / 2 - 2 * exact
    for j in range(0, 30, 4):
        tile = np.s_[j : j + 4, j : j + 4]
        np.testing.assert_allclose(folded[tile], whole[tile], rtol=0, atol=1e-13)
        above = np.s_[j : j + 4, j + 4 :]
        np.testing.assert_allclose(folded[above], 2 * whole[above], rtol=0, atol=1e-13)
    np.testing.assert_array_equal(share, again)
    _, same, solutions = cholesky.solved(a.copy(), rows, backend, width=4)
    np.testing.assert_array_equal(share, same)
    np.testing.assert_array_equal(x, solutions)


@functools.cache
def near_points(noise):
    """The covariance of 32 points that lie near one another, and its inverse in 60 digits."""
    x = np.sort(np.random.default_rng(0).uniform(size=32))
    a = np.exp(-((x[:, None] - x) ** 2) / 2) + noise * np.eye(32)
    with mpmath.workdps(60):
        return a, np.array((mpmath.matrix(a.tolist()) ** -1).tolist())


@pytest.mark.parametrize("noise", [1e-6, 1e-10, 1e-13])  # conditions of 3e7 to 3e14
@pytest.mark.parametrize("width", [8, 32])
def test_the_inverse_of_near_points(backend, width, noise):
    a, exact = near_points(noise)
    found, share, _ = cholesky.inverse(a.copy(), a[:1], backend=backend, width=width)
    error = np.abs(np.triu(found - exact)).max() / np.abs(exact).max()
    assert (share > 0).all()
    assert error <= np.linalg.cond(a) * EPS / 5


def test_products_of_rows(backend):
    v = make((300, 7))
    np.testing.assert_allclose(cholesky.gram(v, backend), v @ v.T, rtol=0, atol=1e-14)


@pytest.mark.parametrize("bad", [0, 5, 8, 19])
@pytest.mark.parametrize("value", [-1.0, 0.0])
def test_the_first_row_without_a_positive_pivot_is_told(bad, value, backend):
    a = np.eye(20)
    a[bad, bad] = value
    _, share = cholesky.factor(a, backend, width=8)
    np.testing.assert_array_equal(share[:bad], 1)
    assert share[bad] == 0


def test_the_shares_tell_how_close_to_dependence_columns_are(backend):
    # det H(k) / (det H(k - 1) H[k, k]), from exact determinants of Hilbert's matrices
    _, share = cholesky.factor(hilbert(4), backend, width=2)
    determinants = np.array([1, 1, 1 / 12, 1 / 2160, 1 / 6048000])
    expected = determinants[1:] / determinants[:-1] * np.arange(1, 8, 2)
    np.testing.assert_allclose(share, expected, rtol=1e-10)


@pytest.mark.parametrize(("n", "width"), [(5, 8), (16, 8), (37, 8), (60, 8)])
def test_each_tile_has_all_its_terms_once(n, width):
    terms, done = np.zeros((n, n), int), np.zeros((n, n), bool)
    for step in cholesky._factor(n, width)[1:]:
        tile = step.tiles[0]
        rows = slice(*tile[:2])
        columns = slice(*tile[-4:-2])
        first, last = tile[-2:]
        assert done[rows, first:last].all()
        assert done[columns, first:last].all()
        assert not done[rows, columns].any()
        terms[rows, columns] += last - first
        if step.block != "update":
            assert (terms[rows, columns] == columns.start).all()
            assert step.block == "factor" or done[columns, columns].any()
            done[rows, columns] = True
    assert done[np.tril_indices(n)].all()


def test_a_panel_does_not_wait_for_the_tiles_behind_the_one_before():
    steps, of = cholesky._factor(60, 8)[1:], lines.lines("cholesky")
    waits = tasks.waits([
        tasks.pieces(
            of[s.block], [s.names.get(name, name) for name in of[s.block].arrays], s.tiles[0]
        )
        for s in steps
    ])  # fmt: skip
    before = []
    for direct in waits:
        before.append(set(direct).union(*(before[k] for k in direct)))
    first = [k for k, step in enumerate(steps) if step.block == "factor"][1]
    assert before[first] == {0, 1}


def test_workers_do_not_matter():
    a, b = definite(700), make((100, 700), seed=1)

    def results(workers):
        kept = {"backend": "cython", "workers": workers}
        lower, share = cholesky.factor(a.copy(), **kept)
        yield np.tril(lower)
        yield share
        for adjoint in (True, False):
            yield cholesky.solve(lower, b.copy(), adjoint=adjoint, **kept)
        for result in cholesky.inverse(a.copy(), b[:2], scale=-0.5, weight=0.5, **kept):
            yield np.triu(result) if len(result) == len(a) and result.ndim == 2 else result
        yield cholesky.gram(b, **kept)

    serial = list(results(1))
    for workers in (2, 7):
        for one, other in zip(serial, results(workers), strict=True):
            assert one.tobytes() == other.tobytes()


def test_a_gaussian_process_does_not_depend_on_the_workers():
    X = make((700, 3))
    y, Z = np.sin(X).sum(axis=1), make((200, 3), seed=2)

    def results(workers):
        with hl.set_workers(workers):
            gp = hl.gp.GaussianProcessRegressor(optimizer=None, length_scale=np.ones(3),
                                                variance=1.0, noise_variance=0.1)  # fmt: skip
            gp.fit(X, y)
            yield gp.L_
            yield gp.alpha_
            yield from map(np.asarray, gp.log_marginal_likelihood(eval_gradient=True))
            yield from gp.predict(Z, return_cov=True)
            yield from gp.predict_gradient(Z)

    serial = list(results(1))
    for workers in (2, 7):
        for one, other in zip(serial, results(workers), strict=True):
            assert one.tobytes() == other.tobytes()
