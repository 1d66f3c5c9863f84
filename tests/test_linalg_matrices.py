import warnings

import numpy as np
import pytest
import scipy.linalg
from linalg_oracles import dtypes, numbers

import hotloops as hl
from hotloops import linalg

# --- matrices -------------------------------------------------------------------------------


@dtypes
def test_low_rank_is_the_closest(dtype):
    a = numbers(18, (2, 7, 5), dtype)
    s = np.linalg.svd(a.astype(np.float64), compute_uv=False)
    for k in range(6):
        result = linalg.low_rank(a, k)
        assert result.dtype == dtype
        for x, y, values in zip(a, result, s, strict=True):
            assert np.linalg.matrix_rank(y) == k
            distance = np.linalg.norm(x.astype(np.float64) - y, 2)
            tolerance = 100 * values[0] * np.finfo(dtype).eps
            np.testing.assert_allclose(distance, [*values, 0][k], rtol=0, atol=tolerance)


def test_projection():
    a = numbers(19, (3, 8, 4))
    a[1, :, 3] = a[1, :, :3].sum(axis=1)
    a[2] = 0
    a[0] *= [1, 1e-200, 1e200, 1e-9]  # only the columns' directions matter
    p = linalg.projection(a)
    np.testing.assert_allclose(p, p.swapaxes(1, 2), atol=1e-15)
    np.testing.assert_allclose(p @ p, p, atol=1e-14)
    np.testing.assert_allclose(np.trace(p, axis1=1, axis2=2), [4, 3, 0], atol=1e-14)
    directions = linalg.normalize_rows(a.swapaxes(1, 2)).swapaxes(1, 2)
    np.testing.assert_allclose(p @ directions, directions, atol=1e-14)
    assert linalg.projection(np.empty((3, 0))).tolist() == np.zeros((3, 3)).tolist()


def test_condition_reports():
    hilbert = linalg.condition_report(scipy.linalg.hilbert(6))
    np.testing.assert_allclose(hilbert.condition, 14951058.642, rtol=1e-9)
    assert abs(hilbert.digits_lost - 7.17) < 0.01
    assert "8 digits are left" in repr(hilbert)
    assert "Well conditioned" in linalg.condition_report(np.eye(3)).advice
    assert "differ in size" in linalg.condition_report(np.diag([1, 1e-9])).advice
    singular = linalg.condition_report([[1.0, 1.0], [1.0, 1.0]])
    assert singular.rank == 1
    assert "rank 1 of 2. Take the solution of least norm (hl.LeastSquares)" in singular.advice
    assert linalg.condition_report(np.zeros((2, 3))).condition == np.inf
    assert linalg.condition_report(np.eye(2, dtype=np.float32)).digits < 7
    assert "Do not form" in linalg.condition_report(scipy.linalg.hilbert(9)).advice


@dtypes
def test_safe_solve(dtype):
    a, x = numbers(20, (6, 6), dtype), numbers(21, (6, 2), dtype)
    for right in (x, x[:, 0]):
        b = a @ right
        result = linalg.safe_solve(a, b)
        assert (result.dtype, result.shape) == (dtype, right.shape)
        np.testing.assert_allclose(result, right, rtol=2000 * np.finfo(dtype).eps)
    assert linalg.safe_solve(np.empty((0, 0)), np.empty(0)).shape == (0,)


def test_safe_solve_says_what_is_ill():
    a, b = scipy.linalg.hilbert(12), np.ones(12)
    message = r"about [34]\.\de\+16, above 1\.0e\+12"
    with pytest.warns(scipy.linalg.LinAlgWarning, match=message) as record:
        linalg.safe_solve(a, b)
    assert record[0].filename == __file__
    with pytest.raises(np.linalg.LinAlgError, match="ill-conditioned"):
        linalg.safe_solve(a, b, on_ill="raise")
    with pytest.raises(np.linalg.LinAlgError, match=r"pivot 2 of 2 is 0\. hl\.LeastSquares"):
        linalg.safe_solve(np.ones((2, 2)), [1, 1])
    with pytest.warns(scipy.linalg.LinAlgWarning, match="above 1.0e\\+03"):
        linalg.safe_solve(np.diag([1, 1e-4]), [1, 1], max_cond=1e3)
    single = np.array([[1, 1], [1, 1 + 2e-7]], np.float32)
    with pytest.warns(scipy.linalg.LinAlgWarning, match="above 8.4e\\+06"):
        linalg.safe_solve(single, np.ones(2, np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        linalg.safe_solve(scipy.linalg.hilbert(5), np.ones(5))


def test_safe_solve_of_a_large_matrix(backend):
    with hl.set_backend(backend):
        _solve_safely()


def _solve_safely():
    a, x = numbers(20, (460, 460), np.float64), numbers(21, (460, 70), np.float64)
    for right in (x, x[:, 0]):
        result = linalg.safe_solve(np.asfortranarray(a), a @ right)
        np.testing.assert_allclose(result, right, atol=1e-10)
    condition = np.linalg.cond(a, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        linalg.safe_solve(a, x, max_cond=condition * (1 + 1e-9))
    with pytest.warns(scipy.linalg.LinAlgWarning, match="ill-conditioned"):
        linalg.safe_solve(a, x, max_cond=condition / 3)
    a[:, 5] = 0
    with pytest.raises(np.linalg.LinAlgError, match=r"pivot 6 of 460 is 0\. hl\.LeastSquares"):
        linalg.safe_solve(a, x)


def test_safe_solve_of_a_norm_that_overflows():
    a = 1.7e308 * np.array([[1, 1], [-1, 1]])
    with pytest.warns(scipy.linalg.LinAlgWarning, match="beyond all numbers"):
        linalg.safe_solve(a, [1, 1])


# --- regression -----------------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize("targets", [(), (3,)])
def test_regressions_are_scikit_learns(dtype, targets):
    from sklearn.linear_model import LinearRegression, Ridge

    x, y = numbers(22, (60, 4), dtype) + dtype(5), numbers(23, (60, *targets), dtype) + dtype(2)
    exact = x.astype(np.float64), y.astype(np.float64)
    for ours, theirs in [
        (linalg.linear_regression(x, y), LinearRegression().fit(*exact)),
        (linalg.ridge_regression(x, y, 7.0), Ridge(7.0).fit(*exact)),
        (linalg.ridge_regression(x, y, 0), LinearRegression().fit(*exact)),
    ]:
        coef, intercept = ours
        assert coef.dtype == intercept.dtype == dtype
        tolerance = 200 * np.finfo(dtype).eps
        np.testing.assert_allclose(coef.T, theirs.coef_, atol=tolerance)
        np.testing.assert_allclose(intercept, theirs.intercept_, atol=5 * tolerance)


def test_ridge_adds_an_identity_of_the_features():
    # the usual slip is an identity with one row for each sample
    x, y, alpha = numbers(24, (30, 3)), numbers(25, 30), 2.5
    centred = x - x.mean(axis=0)
    expected = np.linalg.solve(centred.T @ centred + alpha * np.eye(3), centred.T @ (y - y.mean()))
    coef, intercept = linalg.ridge_regression(x, y, alpha)
    np.testing.assert_allclose(coef, expected, rtol=1e-12)
    np.testing.assert_allclose(intercept, y.mean() - x.mean(axis=0) @ expected, rtol=1e-12)


def test_the_intercept_is_not_penalised():
    x, y = numbers(26, (40, 2)), numbers(27, 40) + 1e6
    coef, intercept = linalg.ridge_regression(x, y, 1e12)
    np.testing.assert_allclose(coef, 0, atol=1e-9)
    np.testing.assert_allclose(intercept, y.mean(), rtol=1e-12)


def test_regression_at_an_offset():
    # columns of ones beside years lose twelve digits
    t = np.arange(40.0) + 1e9
    coef, intercept = linalg.linear_regression(t[:, None], 3 * (t - 1e9) + 7)
    np.testing.assert_allclose(coef, 3, rtol=1e-15)
    np.testing.assert_allclose(intercept + 3e9, 7, rtol=1e-6)


def test_regression_of_dependent_columns_has_least_norm():
    x = numbers(28, 20)
    twice = np.column_stack([x, x])
    with pytest.warns(scipy.linalg.LinAlgWarning, match="rank 1 of 2") as record:
        coef, _ = linalg.linear_regression(twice, 4 * x + 1)
    assert record[0].filename == __file__
    assert str(record[0].message).startswith("X less the mean of each column is rank-deficient")
    np.testing.assert_allclose(coef, [2, 2], rtol=1e-12)
    coef, _ = linalg.ridge_regression(twice, 4 * x + 1, 1e-12)  # which is unique
    np.testing.assert_allclose(coef, [2, 2], rtol=1e-12)


def test_regression_of_a_column_that_is_constant_but_for_rounding():
    x = numbers(28, 20)
    constant = np.where(x > 0, 0.1 + 0.2, 0.3)
    assert np.ptp(constant) > 0
    with pytest.warns(scipy.linalg.LinAlgWarning, match="rank 1 of 2"):
        coef, intercept = linalg.linear_regression(np.column_stack([x, constant]), 4 * x + 1)
    np.testing.assert_allclose([*coef, intercept], [4, 0, 1], rtol=1e-14)


def test_regression_of_fewer_rows_than_columns():
    x, y = numbers(28, (4, 6)), numbers(29, 4)
    with pytest.warns(scipy.linalg.LinAlgWarning, match="rank 3 of 4"):
        coef, intercept = linalg.linear_regression(x, y)
    np.testing.assert_allclose(coef, np.linalg.pinv(x - x.mean(axis=0)) @ y, rtol=1e-12)
    np.testing.assert_allclose(x @ coef + intercept, y, rtol=1e-12)
    coef, intercept = linalg.linear_regression(np.empty((4, 0)), y)
    assert (coef.shape, float(intercept)) == ((0,), pytest.approx(y.mean()))


@pytest.mark.parametrize("units", [(1e-20, 1), (1e200, 1e-200)])
def test_regression_in_any_units(units):
    x = numbers(28, (30, 2))
    coef, intercept = linalg.linear_regression(x * units, x @ [2, 3] + 1)
    np.testing.assert_allclose(coef * units, [2, 3], rtol=1e-12)
    np.testing.assert_allclose(intercept, 1, rtol=1e-12)
