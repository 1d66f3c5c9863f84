"""Factors of one large matrix, made of tasks: against exact arithmetic and what defines them."""

import itertools

import numpy as np
import pytest
from lstsq_oracles import exactly, inverted, make

from hotloops._factors import lu, panels, qr

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


@pytest.mark.parametrize("shape", [(4000, 60), (400, 390)])
def test_nearly_dependent_columns_have_no_plain_qr(shape, backend):
    a = make(shape)
    assert qr.is_large(*shape)
    q, r = qr.factor(a, backend)
    np.testing.assert_allclose(q @ r, a, atol=1e-12)
    a[:, 3] = a[:, 1] + 1e-9 * a[:, 3]
    assert qr.factor(a, backend) is None


def test_workers_do_not_matter():
    square, tall = make((450, 450)), make((5000, 40))

    def results(workers):
        factors = lu.factor(square, "cython", workers)
        yield from factors
        yield lu.solve(*factors[:2], tall[:450], "cython", workers)
        yield from qr.factor(square, "cython", workers)
        yield from qr.factor(tall, "cython", workers)

    serial = list(results(1))
    for workers in (2, 7):
        for one, other in zip(serial, results(workers), strict=True):
            assert one.tobytes() == other.tobytes()
