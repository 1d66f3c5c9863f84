"""Factors of one large matrix, made of tasks: against exact arithmetic and what defines them."""

import itertools
import re
import signal
import time

import numpy as np
import pytest
import scipy.linalg
import threadpoolctl
from lstsq_oracles import exactly, inverted, make

import hotloops as hl
from hotloops._factors import cholesky, lu, panels, qr
from hotloops._run import threads

EPS = np.finfo(float).eps


@pytest.mark.parametrize(("n", "width", "wide"), [(1, 4, 8), (4, 4, 8), (5, 4, 8), (37, 4, 12)])
def test_the_order_of_panels_and_updates(n, width, wide):
    made, updated = [], {}
    for columns, panel in panels.tasks(n, width, wide):
        if columns is None:
            # a panel is made when all before it have updated it, and no other
            assert all(updated.get((k, before)) for k in range(*panel) for before in made)
            made.append(panel)
        else:
            assert panel in made
            for k in range(*columns):
                assert (k, panel) not in updated
                updated[k, panel] = True
    assert list(itertools.chain(*(range(*panel) for panel in made))) == list(range(n))
    assert len(updated) == sum(n - stop for _, stop in made)


def parts(factors, order):
    """P, L and U."""
    n = len(order)
    rows = np.arange(n)
    for k, other in enumerate(order):
        rows[[k, other]] = rows[[other, k]]
    columns = factors.T
    return np.eye(n)[rows].T, np.tril(columns, -1) + np.eye(n), np.triu(columns)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("n", [1, 8, 9, 50])
def test_lu(n, dtype, backend):
    a = make((n, n), dtype)
    factors, order, largest = lu.factor(a, backend, width=8)
    p, lower, upper = parts(factors, order)
    assert np.abs(lower).max() <= (1 if dtype is np.float64 else np.sqrt(2)) + EPS
    np.testing.assert_allclose(p @ lower @ upper, a, atol=50 * n * EPS)
    found = np.maximum(np.abs(a.real), np.abs(a.imag)).max(axis=0)
    np.testing.assert_array_equal(largest, found)
    b = make((n, 3), dtype, 1)
    np.testing.assert_allclose(a @ lu.solve(factors, order, b, backend), b, atol=1e4 * n * EPS)


def test_lu_of_whole_numbers(backend):
    a = np.round(9 * make((20, 20)))
    x = lu.solve(*lu.factor(a, backend, width=4)[:2], np.eye(20), backend)
    exact = inverted(exactly(a)).astype(float)
    np.testing.assert_allclose(x, exact, rtol=0, atol=1e-12 * np.abs(exact).max())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_lu_tells_what_is_not_finite(value, backend):
    a = make((20, 20))
    a[3, [0, 13]] = -value
    largest = lu.factor(a, backend, width=8)[2]
    a[3, [0, 13]] = 0
    expected = np.abs(a).max(axis=0)
    expected[[0, 13]] = value
    np.testing.assert_array_equal(largest, expected)


def test_lu_goes_on_after_a_pivot_of_zero(backend):
    a = make((20, 20))
    a[:, 5] = 0
    factors, order, _ = lu.factor(a, backend, width=4)
    p, lower, upper = parts(factors, order)
    assert np.flatnonzero(upper.diagonal() == 0).tolist() == [5]
    np.testing.assert_allclose(p @ lower @ upper, a, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (50, 50), (70, 33), (40, 9)])
def test_qr_by_panels(shape, dtype, backend):
    a = make(shape, dtype)
    q, r = qr.by_panels(a, backend, width=8)
    assert not np.tril(r, -1).any()
    np.testing.assert_allclose(q @ r, a, atol=1e-13)
    np.testing.assert_allclose(q.conj().T @ q, np.eye(shape[1]), atol=1e-14)


def test_qr_by_panels_of_dependent_columns(backend):
    a = make((40, 3)) @ make((3, 20), seed=1)
    q, r = qr.by_panels(a, backend, width=8)
    np.testing.assert_allclose(q @ r, a, atol=1e-13)
    np.testing.assert_allclose(q.T @ q, np.eye(20), atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_qr_by_inner_products(dtype, backend):
    a = make((3000, 20), dtype)
    a[:, 1] = a[:, 0] + 1e-3 * a[:, 1]
    q, r = qr.by_inner_products(a, backend)
    assert not np.tril(r, -1).any()
    np.testing.assert_allclose(q @ r, a, atol=1e-13)
    np.testing.assert_allclose(q.conj().T @ q, np.eye(20), atol=1e-14)


@pytest.mark.parametrize("shape", [(4000, 120), (400, 390)])
def test_nearly_dependent_columns_have_no_plain_qr(shape, backend):
    a = make(shape)
    assert qr.is_large(*shape)
    q, r = qr.factor(a, backend)
    np.testing.assert_allclose(q @ r, a, atol=1e-12)
    a[:, 3] = a[:, 1] + 1e-9 * a[:, 3]
    assert qr.factor(a, backend) is None


def test_workers_do_not_matter():
    square, tall = make((460, 460)), make((5000, 110))

    def results(workers):
        factors = lu.factor(square, "cython", workers)
        yield from factors
        yield lu.solve(*factors[:2], tall[:460], "cython", workers)
        yield from qr.factor(square, "cython", workers)
        yield from qr.factor(tall, "cython", workers)

    serial = list(results(1))
    for workers in (2, 7):
        for one, other in zip(serial, results(workers), strict=True):
            assert one.tobytes() == other.tobytes()


LARGE = {
    "lu": (460, 460), "cholesky": (650, 650), "normal": (1500, 650), "qr": (3000, 130),
    "svd": (2000, 80), "auto": (400, 390),
}  # fmt: skip


@pytest.mark.parametrize("method", LARGE)
def test_least_squares_of_a_large_matrix(method):
    shape = LARGE[method]
    a, b = make(shape), make((shape[0], 3), seed=1)
    if method == "cholesky":
        a = a @ a.T + np.eye(len(a))
    exact = np.linalg.lstsq(a, b, rcond=None)[0]
    found = []
    for workers in (1, 2, 7):
        fit = hl.LeastSquares(a, method=method, workers=workers)
        found.append([fit.solve(b), fit.pinv(), fit.leverage(), fit.cond])
        np.testing.assert_allclose(found[-1][0], exact, rtol=0, atol=1e-9 * np.abs(exact).max())
    for one in found[1:]:
        for x, y in zip(found[0], one, strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("shape", [(3000, 130), (420, 400)])
@pytest.mark.parametrize("method", ["qr", "svd"])
def test_nearly_dependent_columns_of_a_large_matrix(method, shape):
    a, x = make(shape), np.linspace(1, 2, shape[1])
    a[:, 3] = a[:, 1] + 1e-10 * a[:, 3]
    b = a @ x
    fit = hl.LeastSquares(a, method=method)
    assert fit.rank == shape[1]
    np.testing.assert_allclose(a @ fit.solve(b), b, atol=1e-11)
    others = np.arange(shape[1]) != 3
    np.testing.assert_allclose(fit.solve(b)[others][2:], x[others][2:], rtol=1e-9)
    a[:, 3] = a[:, 1]
    with pytest.warns(scipy.linalg.LinAlgWarning, match=f"rank {shape[1] - 1} of {shape[1]}"):
        fit = hl.LeastSquares(a, method=method)
    expected = x.copy()
    expected[[1, 3]] = (x[1] + x[3]) / 2
    np.testing.assert_allclose(fit.solve(a @ x), expected, rtol=1e-9)


def test_heavy_rows_of_a_large_matrix():
    a, b = make((4000, 120)), make(4000, seed=1)
    weights = np.ones(4000)
    weights[[7, 2800]] = 1e24
    x = hl.LeastSquares(a, weights=weights).solve(b)
    # two rows are constraints: by the null space of these
    heavy, rest = weights > 1, weights == 1
    q = scipy.linalg.qr(a[heavy].T)[0]
    first = np.linalg.lstsq(a[heavy], b[heavy], rcond=None)[0]
    z = np.linalg.lstsq(a[rest] @ q[:, 2:], b[rest] - a[rest] @ first, rcond=None)[0]
    np.testing.assert_allclose(x, first + q[:, 2:] @ z, rtol=1e-9, atol=1e-12)


def test_a_large_singular_matrix_has_no_lu():
    a = make((460, 460))
    a[:, 5] = a[:, 7]
    with pytest.raises(np.linalg.LinAlgError, match=r"^A is singular"):
        hl.LeastSquares(a, method="lu")


def test_workers_do_not_matter_to_linalg():
    a, square = make((3000, 90)), make((460, 460))
    found = []
    for workers in (1, 2, 7):
        with hl.set_workers(workers):
            components = hl.linalg.pca(a)
            found.append([
                components.components_, components.explained_variance_,
                hl.linalg.whiten(a).transform(a), hl.linalg.safe_solve(a[:90] + np.eye(90), a[0]),
                hl.linalg.safe_solve(square, square[:100].T),
                hl.linalg.projection(a[:120]), hl.linalg.condition_report(a).condition,
            ])  # fmt: skip
    for one in found[1:]:
        for x, y in zip(found[0], one, strict=True):
            np.testing.assert_array_equal(x, y)


def test_the_threads_of_blas_do_not_matter():
    a, wide, b = make((700, 700)), make((300, 700)), make((700, 3), seed=1)
    metric = a[:300] @ a[:300].T + np.eye(300)

    def results():
        yield from hl.LeastSquares(a).slogdet()
        least = hl.LeastSquares(wide)
        yield from (least.solve(b[:300]), least.pinv(), least.leverage())
        heavy = hl.LeastSquares(a[:, :400], method="normal")
        yield from (heavy.solve(b), heavy.leverage())
        model = hl.gp.GaussianProcessRegressor(optimizer=None).fit(a[:300, :2], b[:300, 0])
        yield model.sample_y(a[:, :2], 2, random_state=0)
        yield from (hl.ard_kernel(a[:50, :300], metric=metric), hl.linalg.safe_solve(a, b))

    found = []
    for count in (1, 2, 3):
        with threadpoolctl.threadpool_limits(count):
            found.append(list(results()))
    for other in found[1:]:
        for x, y in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(x, y)


# --- interruption and progress --------------------------------------------------------------


CALLS = {
    "lu": lambda workers: lu.factor(make((600, 600)), workers=workers),
    "cholesky": lambda workers: cholesky.factor(1e3 * np.eye(900) + 1, workers=workers),
    "qr": lambda workers: qr.by_panels(make((400, 400)), workers=workers, width=32),
    "solve_many": lambda workers: hl.solve_many(make((600, 600)), make(600), workers=workers),
}


@pytest.fixture
def ended(monkeypatch):
    """For each task that has ended, whether the caller ran it; after so many of the caller's own
    as `ended.most`, there is Ctrl-C."""

    class Ended(list):
        most = None

    ended, count = Ended(), threads._Job._count

    def counted(job, caller):
        ended.append(caller)
        if caller and sum(ended) == ended.most:
            signal.raise_signal(signal.SIGINT)
        elif ended.most and sum(ended) >= ended.most:
            time.sleep(0.05)  # the caller may have to wait for a processor
        count(job, caller)

    monkeypatch.setattr(threads._Job, "_count", counted)
    return ended


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("name", CALLS)
def test_ctrl_c_stops_factors_between_their_tasks(name, workers, ended, ctrl_c):
    expected = CALLS[name](workers)
    tasks = len(ended)
    assert tasks > 20
    ended.clear()
    ended.most = 2
    with pytest.raises(KeyboardInterrupt):
        CALLS[name](workers)
    stopped = len(ended)
    assert stopped == 2 if workers == 1 else 2 <= stopped < tasks
    assert threads.nested() is None
    ended.most = None
    for one, other in zip(expected, CALLS[name](workers), strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(ended) == stopped + tasks  # of the call that was stopped, no task has run since


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("name", ["lu", "cholesky", "qr"])
def test_progress_goes_from_task_to_task(name, workers, ended, capsys):
    with hl.progress(delay=0, mininterval=0, miniters=1):
        CALLS[name](workers)
    counts, totals = zip(*re.findall(r"(\d+)/(\d+)", capsys.readouterr().err), strict=True)
    counts, (total,) = [*map(int, counts)], {*map(int, totals)}
    assert total == len(ended)
    assert counts == sorted(counts)
    assert counts[-1] == total
    if workers == 1:
        assert set(counts) == {*range(total + 1)}
    assert len(set(counts)) > 3
