import math
import signal
import threading
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
from binomial_oracles import short_blocks
from hypothesis import given, settings
from hypothesis import strategies as st

import hotloops as hl
from hotloops._run import backends
from hotloops.binomial import _sampler, _stream

BITS = [np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64, np.random.MT19937]


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    with short_blocks():
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


@pytest.mark.parametrize("n", [101, 1000, 20_000])
@pytest.mark.parametrize("bits", BITS[:3])
@pytest.mark.parametrize("lost", [False, True])
def test_stream_of_rejections_in_blocks(bits, n, lost, monkeypatch):
    left = []
    at_once, between = _stream._draw_at_once, _stream._between

    def counted(n, p, draws, *args):
        left.append(at_once(n, p, draws, *args) / draws)
        return round(left[-1] * draws)

    monkeypatch.setattr(_stream, "_draw_at_once", counted)
    if lost:  # an end that no draw meets
        monkeypatch.setattr(_stream, "_between", lambda *args: between(*args) or -1)
    assert_numpys(n, 0.6, 50_003, halved(bits), halved(bits), workers=2)
    assert left == [1.0] if lost else 0 < left[0] < 0.06


@pytest.mark.parametrize("bits", BITS[:3])
def test_doubles_between_two_states(bits):
    start = halved(bits)
    end = halved(bits)
    for doubles in (0, 1, 2, 5, 1000, 1001, 1002, 1003):
        end.bit_generator.state = start.bit_generator.state
        end.random(doubles)
        assert _stream._between(start.bit_generator, end.bit_generator.state) == doubles
    assert _stream._between(end.bit_generator, start.bit_generator.state) < 0


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
    made, table = [], _sampler.table
    monkeypatch.setattr(_stream, "_TABLE", 30_000 * (15 + 6 * 12 * 0.2))
    monkeypatch.setattr(_sampler, "table", lambda *args: made.append(args) or table(*args))
    _stream._spent.cache_clear()
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
        table = _sampler.table(n, mean / n)
        expected = np.cumsum(scipy.stats.poisson.pmf(np.arange(60), mean))
        np.testing.assert_allclose(table.thresholds[:60] * 2.0**-53, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("n", "p"), [(1, 0.3), (50, 0.05), (55, 0.5), (40, 0.75), (100, 0.28)])
def test_tables_against_fractions(n, p):
    p_exact = Fraction(p)
    exact = [math.comb(n, v) * p_exact**v * (1 - p_exact) ** (n - v) for v in range(n + 1)]
    exact = exact if p <= 0.5 else exact[::-1]
    table = _sampler.table(n, p)
    assert table.values.tolist() == (list(range(n + 1)) if p <= 0.5 else list(range(n, -1, -1)))
    for v, threshold in enumerate(table.thresholds[:-1].tolist()):
        assert abs(Fraction(threshold, 2**53) - sum(exact[: v + 1])) < 1e-13


# of all these NumPy drops doubles, some with thresholds that are next to each other
@pytest.mark.parametrize(
    ("n", "p"), [(43, 0.0283), (60, 0.03), (100, 0.03), (128, 0.99), (200, 0.01), (365, 0.005)]
)
def test_thresholds_are_numpys_to_the_bit(n, p):
    thresholds = _sampler.table(n, p).thresholds[:-1]
    assert (np.diff(thresholds) >= 0).all()
    for v, threshold in enumerate(thresholds.tolist()):
        for k in {threshold - 1, min(threshold, 2**53 - 1)}:
            # this double, and then zeros, which give the least value
            state = {"key": _sampler._untempered(np.array([k] + 311 * [0])), "pos": 0}
            bits = np.random.MT19937(0)
            bits.state = {"bit_generator": "MT19937", "state": state}
            rng = np.random.Generator(bits)
            x = rng.binomial(n, p) if p <= 0.5 else n - rng.binomial(n, p)
            dropped = bits.state["state"]["pos"] > 2
            assert (dropped or x > v) == (k >= threshold)


def dropping():
    """A distribution of which NumPy drops the largest double, and draws anew."""
    for n in range(20, 60):
        if _sampler.table(n, 0.05).thresholds[-2] < 2**53:
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
        state = {"key": _sampler._untempered(doubles), "pos": 0}
        rng.bit_generator.state = {"bit_generator": "MT19937", "state": state}
    assert_numpys(n, p, 40_000, *rngs, backend=backend)


@pytest.mark.parametrize("bits", BITS[:3])
@pytest.mark.parametrize("taken", range(6))
def test_a_copy_is_sent_ahead(bits, taken):
    rng = halved(bits)
    rng.random(taken)
    for doubles in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1000, 1001, 1002, 1003):
        ahead = _stream._ahead(bits, rng.bit_generator.state, doubles)
        expected = bits(0)
        expected.state = rng.bit_generator.state
        expected.random_raw(doubles, output=False)
        assert np.random.Generator(ahead).random(5).tolist() == (
            np.random.Generator(expected).random(5).tolist()
        )
        kept = ("has_uint32", "uinteger")
        assert rng.bit_generator.state["has_uint32"] == 1
        _stream._skip(rng.bit_generator, 0)
        assert [rng.bit_generator.state[key] for key in kept] == [1, expected.state["uinteger"]]


def test_a_wrong_table_is_not_used(backend, monkeypatch):
    x = np.arange(10)
    cdf = scipy.stats.binom.cdf(x, 9, 0.41)
    table = _sampler.Table(x, (cdf * 2**53).astype(np.int64))
    sampler = _sampler._Sampler(9, 0.4)
    assert sampler.agrees_with(_sampler.table(9, 0.4))
    assert not sampler.agrees_with(table)
    for change in (-1, 1):
        table = _sampler.Table(x, _sampler.table(9, 0.4).thresholds[:-1])
        table.thresholds[4] += change
        assert not sampler.agrees_with(table)
    # nor is one where a draw takes two doubles
    assert not _sampler._Sampler(1000, 0.4).agrees_with(table)
    monkeypatch.setattr(_sampler, "table", lambda n, p: None)
    rngs = halved(np.random.PCG64), halved(np.random.PCG64)
    assert_numpys(9, 0.4, 50_003, *rngs, backend=backend, workers=2)


def test_tables_that_start_far_away(monkeypatch):
    expected = _sampler.table(30, 0.4).thresholds
    _sampler.table.cache_clear()
    near = _sampler._near
    monkeypatch.setattr(_sampler, "_near", lambda n, q, x: near(n, q + 1e-9, x))
    assert _sampler.table(30, 0.4).thresholds.tobytes() == expected.tobytes()


@pytest.mark.parametrize("words", [False, True])
@every_bit_generator
def test_a_kernel_sorts_doubles(backend, bits, words):
    table = _sampler.table(40, 0.3)
    ours, theirs = halved(bits), halved(bits)
    hits = table.hits()
    hits[3] = 7
    kernel = backends.resolve(backend, "binomial").load("binomial")
    words &= bits is not np.random.MT19937
    assert _stream._has_words(bits) == (bits is not np.random.MT19937)
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
