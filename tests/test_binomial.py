import math
import signal
import threading
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

import hotloops as hl
from hotloops import _binomial_stream, binomial
from hotloops._run import backends

METHODS = ["multinomial", "stream"]
PROBABILITIES = [0.0, 5e-324, 1e-310, 1e-160, 1e-9, 0.05, 1 / 3, 0.5, 0.7, 1 - 2**-53, 1.0]


def table(backend, n, p):
    """What a kernel makes of one p: the values that have a probability, and it, ascending."""
    first = np.empty(1, np.int64)
    columns = binomial.width(n)
    values, probabilities = np.empty((1, columns), np.int64), np.empty((1, columns))
    kernel = backends.resolve(backend, "binomial").load("binomial")
    kernel.tables(0, 1, np.array([p]), n, first, values, probabilities)
    return values[0, first[0] :], probabilities[0, first[0] :]


def probabilities(backend, n, p):
    values, ascending = table(backend, n, p)
    result = np.zeros(n + 1)
    result[values] = ascending
    return result


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
    assert len(values) < 0.98 * binomial.width(n)
    assert values.min() >= 0
    assert abs(math.fsum(ascending) - 1) < 1e-13
    # the rarest one is the last before underflow
    assert ascending[0] < 1e-321 or len(values) == n + 1


@pytest.mark.parametrize("n", [0, 7, 10**4])
def test_any_floating_point_errors_may_raise(backend, n):
    with np.errstate(all="raise"):
        for p in (0.0, 5e-324, 1e-310, 1e-160, 2e-5, 1 - 2**-53):
            hl.binomial_pmf(n, p, backend=backend)
            for method in METHODS:
                hl.binomial_counts(n, p, 40_000, method=method, backend=backend)


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


# --- counts from the multinomial distribution -----------------------------------------------


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


# --- NumPy's own stream ---------------------------------------------------------------------

BITS = [np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64, np.random.MT19937]


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    """Blocks so short that small inputs make many, of several calls, all with a table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_binomial_stream, "_TABLE", 0)
        patch.setattr(_binomial_stream, "_BLOCK", 7001)
        patch.setattr(_binomial_stream, "_CALL", 2503)
        yield


every_bit_generator = pytest.mark.parametrize("bits", BITS)


def halved(bits, seed=5):
    """A generator that has half of 64 bits left over, and a quarter of Philox's buffer."""
    rng = np.random.Generator(bits(seed))
    rng.integers(10, dtype=np.int32)
    return rng


def assert_numpys(n, p, draws, ours, theirs, **keywords):
    """The counts and the state afterwards are those of the draws that NumPy makes."""
    counts = hl.binomial_counts(n, p, draws, method="stream", rng=ours, **keywords)
    for row, q in zip(counts.reshape(-1, n + 1), np.ravel(p).tolist(), strict=True):
        expected = np.bincount(theirs.binomial(n, q, draws), minlength=n + 1)
        np.testing.assert_array_equal(row, expected)
    np.testing.assert_equal(ours.bit_generator.state, theirs.bit_generator.state)
    assert ours.integers(2**32, dtype=np.uint32) == theirs.integers(2**32, dtype=np.uint32)
    assert ours.random() == theirs.random()


@every_bit_generator
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("n", "p"),
    [(0, 0.5), (7, 0.0), (7, 1.0), (7, 5e-324), (1, 0.5), (9, 0.9), (55, 0.05), (60, 0.5),
     (61, 0.5), (100, 0.3), (100, math.nextafter(0.3, 0)), (100, math.nextafter(0.3, 1)),
     (100, 0.7), (1000, 0.97), (10**5, 2e-4), (1000, 0.3), (7, 1 - 2**-53)],
)  # fmt: skip
def test_stream_is_numpys(backend, bits, n, p, workers):
    assert_numpys(n, p, 50_003, halved(bits), halved(bits), backend=backend, workers=workers)


@pytest.mark.parametrize("draws", [1, 2, 3, 1023, 40_000, 40_001, 40_002, 40_003, 1_000_001])
@every_bit_generator
def test_stream_of_any_length(bits, draws):
    ours, theirs = halved(bits), halved(bits)
    for _ in range(3):  # from other places of Philox's buffer
        assert_numpys(12, 0.2, draws, ours, theirs, workers=2)


@pytest.mark.parametrize("workers", [1, 2])
def test_stream_of_many_p(backend, workers):
    p = np.array([[0.1, 0.9, 0.0], [1.0, 0.45, 0.7]])  # 100 of 0.45 and 0.7 are more than 30
    keywords = {"backend": backend, "workers": workers}
    assert_numpys(100, p, 40_000, halved(np.random.PCG64), halved(np.random.PCG64), **keywords)


@pytest.mark.parametrize(("n", "draws"), [(0, 1), (3, 10), (90, 7), (90, 9000), (20_000, 10)])
@every_bit_generator
def test_stream_of_few_draws_of_many_p(backend, bits, n, draws):
    p = np.random.default_rng(1).random(300 if draws < 100 else 5)
    p[:3] = 0, 1, 0.5
    ours, theirs = halved(bits), halved(bits)
    for _ in range(2):
        assert_numpys(n, p, draws, ours, theirs, backend=backend)


@pytest.mark.parametrize("backend", ["cython", "numba"])
def test_a_table_is_made_when_it_has_paid(backend, monkeypatch):
    made, table = [], _binomial_stream.table
    monkeypatch.setattr(_binomial_stream, "_TABLE", 30_000 * (15 + 6 * 12 * 0.2))
    monkeypatch.setattr(_binomial_stream, "table", lambda *args: made.append(args) or table(*args))
    _binomial_stream._spent.cache_clear()
    ours, theirs = halved(np.random.PCG64), halved(np.random.PCG64)
    for calls in range(5):
        assert_numpys(12, 0.2, 11_000, ours, theirs, backend=backend)
        assert len(made) == max(0, calls - 1)
    assert_numpys(12, 0.8, 31_000, ours, theirs, backend=backend)
    assert made[3:] == [(12, 0.8)]


def test_stream_of_a_generator_with_its_own_binomial():
    class Doubled(np.random.Generator):
        def binomial(self, n, p, size=None):
            half = super().binomial(n, p, size // 2)
            return np.append(half, n - half)

    class Inherited(np.random.Generator):
        pass

    for kind in (Doubled, Inherited):
        p = [0.3, 0.9]
        ours, theirs = kind(np.random.PCG64(1)), kind(np.random.PCG64(1))
        assert_numpys(9, p, 40_000, ours, theirs)
    patched, theirs = Inherited(np.random.PCG64(1)), np.random.default_rng(2)
    patched.binomial = theirs.binomial
    result = hl.binomial_counts(9, 0.3, 500, method="stream", rng=patched)
    expected = np.random.default_rng(2).binomial(9, 0.3, 500)
    np.testing.assert_array_equal(result, np.bincount(expected, minlength=10))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 400), st.floats(0, 1), st.sampled_from(BITS), st.integers(1, 2))
def test_stream_of_any_distribution(n, p, bits, workers):
    assert_numpys(n, p, 33_333, halved(bits), halved(bits), workers=workers)


def test_stream_of_another_bit_generator():
    class Biased(np.random.PCG64):
        pass

    assert_numpys(9, 0.4, 50_003, halved(Biased), halved(Biased), workers=2)


@pytest.mark.parametrize("n", [2**40, 10**18])
def test_tables_of_large_n(n):
    for mean in (1e-3, 1.0, 29.9):
        table = _binomial_stream.table(n, mean / n)
        expected = np.cumsum(scipy.stats.poisson.pmf(np.arange(60), mean))
        np.testing.assert_allclose(table.thresholds[:60] * 2.0**-53, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("n", "p"), [(1, 0.3), (50, 0.05), (55, 0.5), (40, 0.75), (100, 0.28)])
def test_tables_against_fractions(n, p):
    p_exact = Fraction(p)
    exact = [math.comb(n, v) * p_exact**v * (1 - p_exact) ** (n - v) for v in range(n + 1)]
    exact = exact if p <= 0.5 else exact[::-1]
    table = _binomial_stream.table(n, p)
    assert table.values.tolist() == (list(range(n + 1)) if p <= 0.5 else list(range(n, -1, -1)))
    for v, threshold in enumerate(table.thresholds[:-1].tolist()):
        assert abs(Fraction(threshold, 2**53) - sum(exact[: v + 1])) < 1e-13


# of all these NumPy drops doubles, some with thresholds that are next to each other
@pytest.mark.parametrize(
    ("n", "p"), [(43, 0.0283), (60, 0.03), (100, 0.03), (128, 0.99), (200, 0.01), (365, 0.005)]
)
def test_thresholds_are_numpys_to_the_bit(n, p):
    thresholds = _binomial_stream.table(n, p).thresholds[:-1]
    assert (np.diff(thresholds) >= 0).all()
    for v, threshold in enumerate(thresholds.tolist()):
        for k in {threshold - 1, min(threshold, 2**53 - 1)}:
            # this double, and then zeros, which give the least value
            state = {"key": _binomial_stream._untempered(np.array([k] + 311 * [0])), "pos": 0}
            bits = np.random.MT19937(0)
            bits.state = {"bit_generator": "MT19937", "state": state}
            rng = np.random.Generator(bits)
            x = rng.binomial(n, p) if p <= 0.5 else n - rng.binomial(n, p)
            dropped = bits.state["state"]["pos"] > 2
            assert (dropped or x > v) == (k >= threshold)


def dropping():
    """A distribution of which NumPy drops the largest double, and draws anew."""
    for n in range(20, 60):
        if _binomial_stream.table(n, 0.05).thresholds[-2] < 2**53:
            return n, 0.05
    raise AssertionError("none of these drops a double")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("place", [1, 2, 25_000, 50_002, 50_003])
def test_stream_draws_anew_what_numpy_drops(backend, place, workers):
    # a PCG64 gives the upper half of its state xor the lower one, rotated by the upper 6 bits
    rngs = [np.random.Generator(np.random.PCG64(5)) for _ in range(2)]
    for rng in rngs:
        state = rng.bit_generator.state
        state["state"]["state"] = 2**64 - 1
        rng.bit_generator.state = state
        rng.bit_generator.advance(-place)
    assert rngs[0].random(place)[-1] == 1 - 2**-53
    rngs[0].bit_generator.advance(-place)
    n, p = dropping()
    assert_numpys(n, p, 50_003, *rngs, backend=backend, workers=workers)


def test_stream_draws_anew_with_any_bit_generator(backend):
    n, p = dropping()
    doubles = np.full(312, 2**52)
    doubles[[0, 5, 6, 311]] = 2**53 - 1
    rngs = [np.random.Generator(np.random.MT19937(0)) for _ in range(2)]
    for rng in rngs:
        state = {"key": _binomial_stream._untempered(doubles), "pos": 0}
        rng.bit_generator.state = {"bit_generator": "MT19937", "state": state}
    assert_numpys(n, p, 40_000, *rngs, backend=backend)


@pytest.mark.parametrize("bits", BITS[:3])
@pytest.mark.parametrize("taken", range(6))
def test_a_copy_is_sent_ahead(bits, taken):
    rng = halved(bits)
    rng.random(taken)
    for doubles in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1000, 1001, 1002, 1003):
        ahead = _binomial_stream._ahead(bits, rng.bit_generator.state, doubles)
        expected = bits(0)
        expected.state = rng.bit_generator.state
        expected.random_raw(doubles, output=False)
        assert np.random.Generator(ahead).random(5).tolist() == (
            np.random.Generator(expected).random(5).tolist()
        )
        kept = ("has_uint32", "uinteger")
        assert rng.bit_generator.state["has_uint32"] == 1
        _binomial_stream._skip(rng.bit_generator, 0)
        assert [rng.bit_generator.state[key] for key in kept] == [1, expected.state["uinteger"]]


def test_a_wrong_table_is_not_used(backend, monkeypatch):
    x = np.arange(10)
    cdf = scipy.stats.binom.cdf(x, 9, 0.41)
    table = _binomial_stream._Table(x, (cdf * 2**53).astype(np.int64))
    sampler = _binomial_stream._Sampler(9, 0.4)
    assert sampler.agrees_with(_binomial_stream.table(9, 0.4))
    assert not sampler.agrees_with(table)
    for change in (-1, 1):
        table = _binomial_stream._Table(x, _binomial_stream.table(9, 0.4).thresholds[:-1])
        table.thresholds[4] += change
        assert not sampler.agrees_with(table)
    # nor is one where a draw takes two doubles
    assert not _binomial_stream._Sampler(1000, 0.4).agrees_with(table)
    monkeypatch.setattr(_binomial_stream, "table", lambda n, p: None)
    rngs = halved(np.random.PCG64), halved(np.random.PCG64)
    assert_numpys(9, 0.4, 50_003, *rngs, backend=backend, workers=2)


def test_tables_that_start_far_away(monkeypatch):
    expected = _binomial_stream.table(30, 0.4).thresholds
    _binomial_stream.table.cache_clear()
    near = _binomial_stream._near
    monkeypatch.setattr(_binomial_stream, "_near", lambda n, q, x: near(n, q + 1e-9, x))
    assert _binomial_stream.table(30, 0.4).thresholds.tobytes() == expected.tobytes()


@pytest.mark.parametrize("words", [False, True])
@every_bit_generator
def test_a_kernel_sorts_doubles(backend, bits, words):
    table = _binomial_stream.table(40, 0.3)
    ours, theirs = halved(bits), halved(bits)
    hits = table.hits()
    hits[3] = 7
    kernel = backends.resolve(backend, "binomial").load("binomial")
    words &= bits is not np.random.MT19937
    assert _binomial_stream._has_words(bits) == (bits is not np.random.MT19937)
    kernel.count(10, 1011, ours.bit_generator, words, table.guide, table.thresholds, hits)
    doubles = theirs.random(1001) * 2**53
    expected = (doubles[:, None] >= table.thresholds).sum(axis=1)
    expected = np.bincount(expected, minlength=len(hits))
    expected[3] += 7
    np.testing.assert_array_equal(hits, expected)
    np.testing.assert_equal(ours.bit_generator.state, theirs.bit_generator.state)


@pytest.mark.parametrize("p", [0.05, 0.5])
def test_calls_from_two_threads_share_one_stream(backend, p):
    # each call's draws follow one another
    draws, calls = 300_000, 6
    theirs = halved(np.random.PCG64)
    expected = [np.bincount(theirs.binomial(70, p, draws), minlength=71) for _ in range(calls)]
    ours, counts = halved(np.random.PCG64), []

    def work():
        for _ in range(calls // 2):
            counts.append(
                hl.binomial_counts(70, p, draws, method="stream", rng=ours, backend=backend)
            )

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(c.tolist() for c in counts) == sorted(e.tolist() for e in expected)
    np.testing.assert_equal(ours.bit_generator.state, theirs.bit_generator.state)


def assert_free(lock):
    """Another thread gets it."""
    got = []
    thread = threading.Thread(target=lambda: got.append(lock.acquire(timeout=10)))
    thread.start()
    thread.join()
    assert got == [True]


@pytest.mark.parametrize("draws", [10, 50_000])
def test_the_lock_is_free_afterwards(draws):
    rng = np.random.default_rng(1)
    hl.binomial_counts(9, 0.4, draws, method="stream", rng=rng)
    assert_free(rng.bit_generator.lock)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.MT19937])
@pytest.mark.parametrize("n", [9, 1000])
def test_ctrl_c_leaves_a_stream_that_goes_on(backend, n, bits, workers, ctrl_c):
    keywords = {"backend": backend, "workers": workers}
    ours, theirs = halved(bits), halved(bits)
    assert_numpys(n, 0.4, 40_000, ours, theirs, **keywords)  # compiles

    def long_call():
        threading.Timer(0.1, signal.raise_signal, [signal.SIGINT]).start()
        hl.binomial_counts(n, 0.4, 10**12, method="stream", rng=ours, **keywords)

    with pytest.raises(KeyboardInterrupt):
        long_call()
    theirs.bit_generator.state = ours.bit_generator.state
    assert_numpys(n, 0.4, 40_000, ours, theirs, **keywords)
    assert_free(ours.bit_generator.lock)


def test_stream_of_known_draws():
    # of NumPy's own tests: 42, 41, 42, 48, 44, 50
    rng = np.random.Generator(np.random.MT19937(1234567890))
    counts = hl.binomial_counts(100, 0.456, 6, method="stream", rng=rng)
    assert np.repeat(np.arange(101), counts).tolist() == [41, 42, 42, 44, 48, 50]


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


@pytest.mark.parametrize(("n", "workers"), [(9, 1), (9, 2), (200, 2)])
def test_stream_does_not_hold_the_draws(backend, n, workers):
    import tracemalloc

    keywords = {"method": "stream", "backend": backend, "workers": workers}
    hl.binomial_counts(n, 0.4, 50_000, **keywords)
    tracemalloc.start()
    try:
        hl.binomial_counts(n, 0.4, 2 * 10**6, **keywords)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("length", "draws"), [(3000, 1), (200, 40_000)])
def test_stream_of_many_p_holds_nothing_for_each(length, draws):
    import tracemalloc

    p = np.full(length, 0.3)
    keywords = {"method": "stream", "workers": 1}
    hl.binomial_counts(1, p[:2], draws, **keywords)
    tracemalloc.start()
    try:
        hl.binomial_counts(1, p, draws, **keywords)
        assert tracemalloc.get_traced_memory()[1] < 16 * length + 2**19
    finally:
        tracemalloc.stop()


def test_out_may_have_any_size(monkeypatch):
    monkeypatch.setattr(binomial, "_LARGEST", 64)
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


@pytest.mark.parametrize("confidence", [0, 1, -0.5, 95, np.nan])
def test_bad_confidence(confidence):
    with pytest.raises(ValueError, match="confidence must be"):
        hl.binomial_probabilities(2, 0.5, 10, confidence=confidence)


def test_no_draws_have_no_estimate():
    with pytest.raises(ValueError, match="draws must be >= 1, got 0"):
        hl.binomial_probabilities(2, 0.5, 0)
