import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import scipy.special
import scipy.stats
from binomial_oracles import probabilities, table
from hotloops.kernels.binomial import width
from hypothesis import given, settings
from hypothesis import strategies as st

import hotloops as hl
from hotloops._run import backends

PROBABILITIES = [0.0, 5e-324, 1e-310, 1e-160, 1e-9, 0.05, 1 / 3, 0.5, 0.7, 1 - 2**-53, 1.0]


# --- the tables -----------------------------------------------------------------------------


@pytest.mark.parametrize("p", PROBABILITIES)
@pytest.mark.parametrize("n", [0, 1, 2, 9, 50])
def test_probabilities_against_fractions(backend, n, p):
    p_exact = Fraction(p)
    for v, value in enumerate(probabilities(backend, n, p).tolist()):
        exact = math.comb(n, v) * p_exact**v * (1 - p_exact) ** (n - v)
        # two ulps, and the rounding to a subnormal
        error = abs(Fraction(value) - exact)
        assert error <= exact * Fraction(4, 2**53) + Fraction(3, 4 * 2**1074)


@pytest.mark.parametrize(
    ("n", "p"),
    [(333, 0.6), (10**4, 1e-160), (10**4, 0.3), (10**6, 0.5), (10**6, 1e-5), (10**6, 0.99)],
)
def test_probabilities_of_large_n(backend, n, p):
    result = probabilities(backend, n, p)
    with mpmath.workdps(40):
        q = 1 - mpmath.mpf(p)
        for v in np.linspace(*np.flatnonzero(result)[[0, -1]], 60).astype(int).tolist():
            log = mpmath.loggamma(n + 1) - mpmath.loggamma(v + 1) - mpmath.loggamma(n - v + 1)
            exact = mpmath.exp(log + v * mpmath.log(p) + (n - v) * mpmath.log(q))
            error = abs(mpmath.mpf(float(result[v])) - exact)
            assert error <= 4.5e-16 * exact + 4e-324


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3000), st.floats(0, 1))
def test_tables_are_the_same_in_all_backends(n, p):
    values, ascending = table("numpy", n, p)
    assert (np.diff(ascending) >= 0).all()
    assert len(set(values.tolist())) == len(values)
    assert abs(ascending.sum() - 1) < 1e-13
    for backend in ("cython", "numba"):
        other = table(backend, n, p)
        np.testing.assert_array_equal(other[0], values)
        assert other[1].tobytes() == ascending.tobytes()


@pytest.mark.parametrize("p", [0.3, 0.5, 1 - 1e-3])
@pytest.mark.parametrize("n", [1640, 10**5, 3 * 10**6])
def test_tables_have_room(n, p):
    values, ascending = table("cython", n, p)
    assert len(values) < 0.98 * width(n)
    assert values.min() >= 0
    assert abs(math.fsum(ascending) - 1) < 1e-13
    # the rarest one is the last before underflow
    assert ascending[0] < 1e-321 or len(values) == n + 1


def test_a_kernel_fills_its_rows_alone(backend):
    kernel = backends.resolve(backend, "binomial").load("binomial")
    p = np.array([0.1, 0.5, 0.9])
    first = np.full(3, -1)
    values, ascending = np.full((3, 8), -1), np.full((3, 8), np.nan)
    kernel.tables(1, 2, p, 7, first, values, ascending)
    assert first.tolist() == [-1, 0, -1]
    assert (values[[0, 2]] == -1).all()
    assert np.isnan(ascending[[0, 2]]).all()
    np.testing.assert_array_equal(ascending[1], table("numpy", 7, 0.5)[1])
    out = np.full((3, 8), np.nan)
    kernel.pmf(1, 2, p, 7, out)
    assert np.isnan(out[[0, 2]]).all()
    np.testing.assert_array_equal(out[1, values[1]], ascending[1])


def test_pmf_puts_the_table_in_order(backend):
    p = np.array([[0.0, 0.2, 1 / 3], [0.5, 1 - 1e-9, 1.0]])
    result = hl.binomial_pmf(120, p, backend=backend)
    assert result.shape == (2, 3, 121)
    for index in np.ndindex(p.shape):
        expected = probabilities("numpy", 120, p[index])
        assert result[index].tobytes() == expected.tobytes()
        assert hl.binomial_pmf(120, p[index], backend=backend).tobytes() == expected.tobytes()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 500), st.floats(0, 1))
def test_pmf_of_failures_is_reversed(n, p):
    q = 1 - p
    if 1 - q == p:  # both are doubles
        np.testing.assert_allclose(
            hl.binomial_pmf(n, p), hl.binomial_pmf(n, q)[::-1], rtol=2e-15, atol=1e-323
        )


def test_pmf_down_to_underflow(backend):
    result = hl.binomial_pmf(400, 0.01, backend=backend)
    p = Fraction(0.01)
    for v in range(401):
        exact = math.comb(400, v) * p**v * (1 - p) ** (400 - v)
        assert abs(Fraction(float(result[v])) - exact) <= exact * Fraction(1e-13) + Fraction(5e-324)
    assert 0 < result[result > 0].min() < 1e-320


@pytest.mark.parametrize("workers", [1, 2])
def test_pmf_of_many_p(backend, workers):
    p = np.linspace(0, 1, 700)
    out = np.full((700, 41), np.nan)
    assert hl.binomial_pmf(40, p, out=out, backend=backend, workers=workers) is out
    expected = scipy.stats.binom.pmf(np.arange(41), 40, p[:, None])
    np.testing.assert_allclose(out, expected, rtol=1e-11, atol=1e-300)


def test_pmf_of_nothing(backend):
    assert hl.binomial_pmf(0, 0.3, backend=backend).tolist() == [1]
    assert hl.binomial_pmf(3, [], backend=backend).shape == (0, 4)


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "message"),
    [
        ((-1, 0.5), {}, ValueError, "n must be >= 0, got -1"),
        ((2.0, 0.5), {}, TypeError, "n must be an integer, got 2.0"),
        ((2**62, 0.5), {}, ValueError, f"n must be <= {2**28 - 1} without `out`.*got {2**62}"),
        ((2, [0.5, np.nan]), {}, ValueError, r"p must be in \[0, 1\], got nan at index \(1,\)"),
        ((2, "half"), {}, TypeError, "p must be real"),
        ((2, 0.5), {"out": np.empty(3, int)}, ValueError, "dtype float64, got .*int64"),
        ((2, 0.5), {"backend": "fortran"}, ValueError, "backend must be one of"),
        ((2, 0.5), {"workers": 0}, ValueError, "workers must be"),
    ],
)
def test_bad_input_of_pmf(arguments, keywords, error, message):
    with pytest.raises(error, match=message):
        hl.binomial_pmf(*arguments, **keywords)


def test_pmf_does_not_overwrite_p():
    out = np.full((3, 5), 0.3)
    for p in (out[:, 0], out[0, :3], out.T[1, :3]):
        with pytest.raises(ValueError, match="out must not share memory with p"):
            hl.binomial_pmf(4, p, out=out)
        assert (out == 0.3).all()


# --- intervals ------------------------------------------------------------------------------


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("draws", [1, 2, 37, 10**5])
def test_intervals_against_scipy(draws, confidence):
    n, p = 12, [0.02, 0.5]
    counts = hl.binomial_counts(n, p, draws, rng=3)
    estimate, lower, upper = hl.binomial_probabilities(n, p, draws, confidence=confidence, rng=3)
    np.testing.assert_array_equal(estimate, counts / draws)
    for index in np.ndindex(counts.shape):
        test = scipy.stats.binomtest(int(counts[index]), draws)
        low, high = test.proportion_ci(confidence, method="wilson")
        assert lower[index] == pytest.approx(low, rel=1e-9, abs=1e-15)
        assert upper[index] == pytest.approx(high, rel=1e-12)


def test_intervals_of_rare_values_keep_their_digits():
    draws = 10**18
    counts = hl.binomial_counts(60, 0.25, draws, rng=1)
    estimate, lower, upper = hl.binomial_probabilities(60, 0.25, draws, rng=1)
    z = mpmath.mpf(float(-scipy.special.ndtri((1 - 0.95) / 2)))
    with mpmath.workdps(60):
        for c, low, high in zip(counts.tolist(), lower.tolist(), upper.tolist(), strict=True):
            root = z * mpmath.sqrt(mpmath.mpf(c) * (draws - c) / draws + z**2 / 4)
            exact = [(c + z**2 / 2 + sign * root) / (draws + z**2) for sign in (-1, 1)]
            assert abs(low - exact[0]) <= 2e-15 * exact[0]
            assert abs(high - exact[1]) <= 2e-15 * exact[1]
    assert (lower <= estimate).all()
    assert (estimate <= upper).all()
    assert (counts == 0).any()


@pytest.mark.parametrize("confidence", [5e-324, 1e-300, 1e-160, 1e-17, 1e-9, 1 - 1e-9, 1 - 2**-53])
@pytest.mark.parametrize("draws", [1, 30, 2**63 - 1])
def test_intervals_of_extreme_confidence(draws, confidence):
    keywords = {"rng": 1, "confidence": confidence}
    with np.errstate(all="raise"):
        estimate, lower, upper = hl.binomial_probabilities(3, 0.5, draws, **keywords)
    with mpmath.workdps(400):
        z = mpmath.sqrt(2) * mpmath.erfinv(mpmath.mpf(confidence))
        for c, *ends in zip(hl.binomial_counts(3, 0.5, draws, rng=1).tolist(), lower.tolist(),
                            upper.tolist(), strict=True):  # fmt: skip
            root = z * mpmath.sqrt(mpmath.mpf(c) * (draws - c) / draws + z**2 / 4)
            for end, sign in zip(ends, (-1, 1), strict=True):
                exact = (c + z**2 / 2 + sign * root) / (draws + z**2)
                assert abs(end - exact) <= 2e-15 * exact + 1e-320
    assert (lower <= estimate).all()
    assert (estimate <= upper).all()


def test_narrow_intervals_hold_their_estimates():
    for seed in range(20):
        estimate, lower, upper = hl.binomial_probabilities(
            40, 0.5, 2**63 - 1, confidence=1e-300, rng=seed
        )
        assert (lower <= estimate).all()
        assert (estimate <= upper).all()


@pytest.mark.parametrize("draws", [1, 3, 10**6, 2**63 - 1])
def test_intervals_end_at_0_and_1(draws):
    estimate, lower, upper = hl.binomial_probabilities(1, 1.0, draws)
    assert estimate.tolist() == [0, 1]
    assert lower[0] == 0 < upper[0]
    assert lower[1] <= 1 == upper[1]


def test_intervals_of_the_stream():
    result = hl.binomial_probabilities(9, 0.4, 1000, method="stream", rng=np.random.default_rng(1))
    expected = np.bincount(np.random.default_rng(1).binomial(9, 0.4, 1000), minlength=10) / 1000
    np.testing.assert_array_equal(result[0], expected)


@pytest.mark.parametrize("confidence", [0, 1, -0.5, 95, np.nan])
def test_bad_confidence(confidence):
    with pytest.raises(ValueError, match="confidence must be"):
        hl.binomial_probabilities(2, 0.5, 10, confidence=confidence)


def test_no_draws_have_no_estimate():
    with pytest.raises(ValueError, match="draws must be >= 1, got 0"):
        hl.binomial_probabilities(2, 0.5, 0)
