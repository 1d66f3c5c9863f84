import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import scipy.special
import scipy.stats
from binomial_oracles import METHODS, short_blocks, table
from hypothesis import given, settings
from hypothesis import strategies as st

import hotloops as hl
from hotloops.binomial import _checks
from hotloops.binomial import counts as counting


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    with short_blocks():
        yield


# --- the distribution -----------------------------------------------------------------------


def g_test(counts, exact):
    """Probability of a likelihood ratio at least as large, values of few counts together."""
    draws = counts.sum()
    expected = exact * draws
    enough = expected >= 10
    observed = np.append(counts[enough], counts[~enough].sum()).astype(float)
    expected = np.append(expected[enough], draws - expected[enough].sum())
    if expected[-1] < 1e-6 * draws and observed[-1] == 0:
        observed, expected = observed[:-1], expected[:-1]
    statistic = 2 * scipy.special.xlogy(observed, observed / expected).sum()
    return scipy.stats.chi2.sf(statistic, len(observed) - 1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("n", "p"), [(9, 0.1), (50, 0.05), (50, 0.5), (40, 0.9), (200, 0.3)])
def test_counts_follow_the_distribution(method, n, p):
    p_exact = Fraction(p)
    exact = np.array([
        float(math.comb(n, v) * p_exact**v * (1 - p_exact) ** (n - v)) for v in range(n + 1)
    ])  # fmt: skip
    significance = [
        g_test(hl.binomial_counts(n, p, 10**5, method=method, rng=seed), exact)
        for seed in range(30)
    ]
    # thirty uniform numbers, if the distribution is right
    assert scipy.stats.kstest(significance, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("p", [0.3, 0.7])
def test_the_tails_of_many_draws(p):
    # Of 10^18 draws, values of probability 10^-17 have ten counts or so in either tail. In the
    # order of the values the upper ones would be lost: what remains is 1 minus a rounded sum.
    n, draws = 200, 10**18
    exact = scipy.stats.binom.pmf(np.arange(n + 1), n, p)
    rare = (exact * draws > 0.5) & (exact * draws < 1000)
    counts = np.array([hl.binomial_counts(n, p, draws, rng=seed) for seed in range(200)])
    assert (counts.sum(axis=1) == draws).all()
    expected = 200 * draws * exact
    deviation = (counts.sum(axis=0) - expected)[rare] / np.sqrt(expected[rare])
    for tail in (np.arange(n + 1)[rare] < n * p, np.arange(n + 1)[rare] > n * p):
        assert tail.sum() > 3
        assert np.abs(deviation[tail]).max() < 4.5
        assert (deviation[tail] ** 2).sum() < scipy.stats.chi2.isf(1e-4, tail.sum())


def test_rare_values_of_many_draws():
    # 1 - 1e-17 is 1 in a double: NumPy's own binomial(10**18, 1e-17) was 0 before 2.4
    counts = hl.binomial_counts(1, np.full(2000, 1e-17), 10**18, rng=1)[:, 1]
    assert abs(counts.mean() - 10) < 4 * math.sqrt(10 / 2000)
    assert abs(counts.var() - 10) < 4 * math.sqrt(210 / 2000)


def test_the_spread_of_very_many_draws():
    # NumPy's own binomial(2**63 - 1, 0.5) spreads by 8 % too much
    length, draws = 2500, 2**63 - 1
    counts = hl.binomial_counts(1, np.full(length, 0.5), draws, rng=1)
    assert (counts.sum(axis=1) == draws).all()
    deviations = (counts[:, 1] - draws / 2) / math.sqrt(draws / 4)
    assert scipy.stats.kstest(deviations, "norm").pvalue > 1e-3
    assert abs(deviations.std() - 1) < 4 / math.sqrt(2 * length)
    assert abs(deviations).max() < 5.5


def test_the_rarest_come_first(backend):
    # the counts are NumPy's own for the ascending table
    values, ascending = table("numpy", 30, 0.2)
    expected = np.zeros(31, np.int64)
    expected[values] = np.random.default_rng(3).multinomial(10**6, ascending)
    result = hl.binomial_counts(30, 0.2, 10**6, rng=3, backend=backend)
    np.testing.assert_array_equal(result, expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 300), st.floats(0, 1), st.integers(0, 2**63 - 1), st.integers(0, 2**32))
def test_counts_are_the_same_in_all_backends(n, p, draws, seed):
    first, *others = (
        hl.binomial_counts(n, p, draws, rng=seed, backend=b) for b in ("numpy", "numba", "cython")
    )
    assert first.dtype == np.int64
    assert sum(first.tolist()) == draws
    assert (first >= 0).all()
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_a_million_trials(backend):
    counts = hl.binomial_counts(10**6, 0.25, 10**12, rng=1, backend=backend)
    mean = (counts * np.arange(10**6 + 1.0)).sum() / 10**12
    assert counts.sum() == 10**12
    assert abs(mean - 250_000) < 5 * math.sqrt(250_000 * 0.75 / 10**12)


def test_many_p_take_numpys_stream_one_after_another(backend):
    # tables of all lengths side by side: at the ends of [0, 1] few values have a probability
    p = np.random.default_rng(1).permutation(np.append(np.linspace(0, 1, 60), [5e-324, 1e-9]))
    for n, draws in ((3, 10), (2500, 10**6), (40, 2**50)):
        rng, expected = np.random.default_rng(3), []
        for q in p:
            values, ascending = table("numpy", n, q)
            if draws <= 2**40:
                expected.append(np.zeros(n + 1, np.int64))
                expected[-1][values] = rng.multinomial(draws, ascending)
            else:
                expected.append(hl.binomial_counts(n, q, draws, rng=rng, backend="numpy"))
        result = hl.binomial_counts(n, p, draws, rng=3, backend=backend)
        np.testing.assert_array_equal(result, expected)


# --- arrays of p, edges ---------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_arrays_of_p_are_drawn_in_c_order(backend, method):
    p = np.asfortranarray([[0.1, 0.5, 1.0], [0.0, 0.93, 0.2]])
    keywords = {"method": method, "backend": backend}
    counts = hl.binomial_counts(20, p, 70_000, rng=np.random.default_rng(8), **keywords)
    rng = np.random.default_rng(8)
    expected = [hl.binomial_counts(20, q, 70_000, rng=rng, **keywords) for q in p.ravel(order="C")]
    assert counts.shape == (2, 3, 21)
    np.testing.assert_array_equal(counts.reshape(6, 21), expected)


def test_many_p_make_several_blocks(backend):
    p = np.linspace(0, 1, 400)
    rng = np.random.default_rng(2)
    expected = [hl.binomial_counts(30, q, 1000, rng=rng, backend=backend) for q in p]
    np.testing.assert_array_equal(hl.binomial_counts(30, p, 1000, rng=2, backend=backend), expected)


@pytest.mark.parametrize("method", METHODS)
def test_edges(backend, method):
    def counts(*args):
        return hl.binomial_counts(*args, method=method, rng=1, backend=backend).tolist()

    assert counts(0, 0.3, 17) == [17]
    assert counts(3, 0.3, 0) == [0, 0, 0, 0]
    assert counts(3, 0.0, 17) == [17, 0, 0, 0]
    assert counts(3, 1.0, 17) == [0, 0, 0, 17]
    assert counts(3, [0, 1], 5) == [[5, 0, 0, 0], [0, 0, 0, 5]]
    assert counts(3, [], 5) == []
    assert counts(np.int8(1), np.float32(1), np.uint8(200)) == [0, 200]


@pytest.mark.parametrize("method", METHODS)
def test_no_draws_clear_out_and_leave_the_stream(method):
    rng = np.random.default_rng(4)
    state = rng.bit_generator.state
    out = np.full((2, 4), 7)
    assert hl.binomial_counts(3, [0.2, 0.5], 0, method=method, rng=rng, out=out) is out
    assert not out.any()
    assert rng.bit_generator.state == state


def test_rng_is_what_default_rng_takes():
    expected = hl.binomial_counts(9, 0.4, 1000, rng=np.random.default_rng(6))
    for rng in (6, np.random.SeedSequence(6), np.random.PCG64(6)):
        np.testing.assert_array_equal(hl.binomial_counts(9, 0.4, 1000, rng=rng), expected)
    fresh = {tuple(hl.binomial_counts(9, 0.4, 10**12).tolist()) for _ in range(3)}
    assert len(fresh) == 3


def test_out_may_have_any_size(monkeypatch):
    monkeypatch.setattr(_checks, "_LARGEST", 64)
    for call in (
        lambda n, **keywords: hl.binomial_counts(n, [0.1, 0.4], 100, rng=1, **keywords),
        lambda n, **keywords: hl.binomial_pmf(n, [0.1, 0.4], **keywords),
    ):
        expected = call(31)
        with pytest.raises(ValueError, match=r"n must be <= 31 without `out`.* of 2 p, got 32"):
            call(32)
        out = np.empty((2, 33), expected.dtype)
        assert call(32, out=out) is out
        np.testing.assert_array_equal(call(31, out=np.empty_like(expected)), expected)
    with pytest.raises(ValueError, match="n must be <= 63 without"):
        hl.binomial_probabilities(64, 0.5, 10)


def test_what_is_advised_for_large_n():
    n, p, draws = 2**40, 0.3, 10
    with pytest.raises(ValueError, match="got") as raised:
        hl.binomial_counts(n, p, draws)
    advice = str(raised.value).partition(": ")[2].removesuffix(" counts the values")
    scope = {"np": np, "rng": np.random.default_rng(1), "n": n, "p": p, "draws": draws}
    values, counts = eval(advice, scope)
    theirs = np.random.default_rng(1).binomial(n, p, draws)
    assert np.repeat(values, counts).tolist() == sorted(theirs)
    with pytest.raises(ValueError, match="got") as raised:
        hl.binomial_pmf(n, p)
    advice = str(raised.value).partition(": ")[2].partition(" has ")[0]
    with mpmath.workdps(40):
        v = int(n * p)
        exact = mpmath.binomial(n, v) * mpmath.mpf(p) ** v * (1 - mpmath.mpf(p)) ** (n - v)
    found = eval(advice, {"scipy": scipy, "n": n, "p": p, "v": v})
    assert found == pytest.approx(float(exact), rel=1e-3)


@pytest.mark.parametrize("n", [0, 7, 10**4])
def test_any_floating_point_errors_may_raise(backend, n):
    with np.errstate(all="raise"):
        for p in (0.0, 5e-324, 1e-310, 1e-160, 2e-5, 1 - 2**-53):
            hl.binomial_pmf(n, p, backend=backend)
            for method in METHODS:
                hl.binomial_counts(n, p, 40_000, method=method, backend=backend)


# --- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "message"),
    [
        ((-1, 0.5, 1), {}, ValueError, "n must be >= 0, got -1"),
        ((2**40, 0.5, 1), {}, ValueError, f"n must be <= {2**28 - 1} without `out`.*got {2**40}"),
        ((10**9, 0.5, 10), {"method": "stream"}, ValueError, "n must be .*got 1000000000: np.uni"),
        ((2**27, [0.5] * 4, 1), {}, ValueError, f"n must be <= {2**26 - 1} .* of 4 p"),
        ((2**62, [], 1), {}, ValueError, f"n must be <= {2**28 - 1} without"),
        ((2**62, 0.5, 1), {"out": np.empty(3, int)}, ValueError, "out must be .*shape \\(3,\\)"),
        ((2.0, 0.5, 1), {}, TypeError, "n must be an integer, got 2.0"),
        ((2, 0.5, -3), {}, ValueError, "draws must be >= 0, got -3"),
        ((2, 0.5, 1e6), {}, TypeError, "draws must be an integer"),
        ((2, 0.5, 2**63), {}, ValueError, f"draws must be <= {2**63 - 1}"),
        ((2, 1.5, 1), {}, ValueError, r"p must be in \[0, 1\], got 1.5$"),
        ((2, -0.1, 1), {}, ValueError, r"p must be in \[0, 1\], got -0.1$"),
        ((2, np.nan, 1), {}, ValueError, r"p must be in \[0, 1\], got nan$"),
        ((2, [[0, 1], [0.5, np.nan]], 1), {}, ValueError, r"got nan at index \(1, 1\)"),
        ((2, 0.5j, 1), {}, TypeError, "p must be real"),
        ((2, "half", 1), {}, TypeError, "p must be real"),
        ((2, 0.5, 1), {"method": "exact"}, ValueError, "'multinomial', 'stream', got 'exact'"),
        ((2, 0.5, 1), {"backend": "fortran"}, ValueError, "backend must be one of"),
        ((2, 0.5, 1), {"workers": 0}, ValueError, "workers must be"),
        ((2, 0.5, 1), {"rng": np.random.RandomState(1)}, TypeError, "rng must .*got RandomState"),
        ((2, 0.5, 1), {"rng": np.random}, TypeError, "rng must be .*got module"),
        ((2, 0.5, 1), {"rng": "seed"}, TypeError, "rng must be .*got str: 'seed'"),
        ((2, 0.5, 1), {"rng": -1}, TypeError, "rng must be .*got int: -1"),
        ((2, 0.5, 1), {"out": np.empty(3)}, ValueError, "dtype int64, got .*float64"),
        ((2, [0.5], 1), {"out": np.empty(3, int)}, ValueError, r"shape \(1, 3\)"),
        ((2, 0.5, 1), {"out": [0, 0, 0]}, TypeError, "out must be .*got list"),
    ],
)
def test_bad_input(arguments, keywords, error, message):
    rng = keywords.setdefault("rng", np.random.default_rng(1))
    state = rng.bit_generator.state if isinstance(rng, np.random.Generator) else None
    with pytest.raises(error, match=message):
        hl.binomial_counts(*arguments, **keywords)
    if state:
        assert rng.bit_generator.state == state


@pytest.mark.parametrize("draws", [1000, 2**50])
def test_a_table_that_is_kept_changes_nothing(draws, backend):
    def counted():
        return hl.binomial_counts(9, 0.3, draws, rng=1, backend=backend)

    first = counted()
    counting._kept_table.cache_clear()
    fresh = counted()
    kept = counting._kept_table.cache_info().hits
    np.testing.assert_array_equal(first, fresh)
    np.testing.assert_array_equal(counted(), fresh)
    assert counting._kept_table.cache_info().hits == kept + 1
    with pytest.raises(ValueError, match="workers must be at least 1"):
        hl.binomial_counts(9, 0.3, draws, backend=backend, workers=0)
