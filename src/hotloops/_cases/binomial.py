"""Counts of binomial draws, and their probabilities."""

import math
from typing import Any

import numpy as np

from .. import binomial
from .._typing import Array
from .case import Arguments, Case, DType, Generator


def _binomial_make(rng: Generator, dtype: DType, **arguments: Any) -> Arguments:
    return arguments


def _binomial_question(n: int, p: float, draws: int, method: str | None = None) -> Array:
    samples = np.random.default_rng().binomial(n, p, draws)
    counts = np.zeros(n + 1, np.int64)
    for value in range(n + 1):
        counts[value] = np.sum(samples == value)
    return counts


def _binomial_numpy(n: int, p: float, draws: int) -> Array:
    import scipy.stats

    probabilities = scipy.stats.binom.pmf(np.arange(n + 1), n, p)
    return np.random.default_rng().multinomial(draws, probabilities)


def _stream_numpy(n: int, p: float, draws: int, method: str) -> Array:
    return np.bincount(np.random.default_rng().binomial(n, p, draws), minlength=n + 1)


def _stream(name: str, n: int, p: float) -> Case:
    arguments = {"n": n, "p": p, "method": "stream"}
    return Case(
        "binomial", name, binomial.binomial_counts, _binomial_make,
        arguments | {"draws": 40_003}, {None: 0.0}, _binomial_question, _stream_numpy,
        arguments | {"draws": 10**6}, arguments | {"draws": 10**5}, random=True,
    )  # fmt: skip


def _pmf_question(n: int, p: float) -> Array:
    return np.array([math.comb(n, v) * p**v * (1 - p) ** (n - v) for v in range(n + 1)])


def _pmf_numpy(n: int, p: float) -> Array:
    import scipy.stats

    return scipy.stats.binom.pmf(np.arange(n + 1), n, p)


def _intervals(n: int, p: float, draws: int, **keywords: Any) -> Array:
    return np.stack(binomial.binomial_probabilities(n, p, draws, rng=7, **keywords))


def _intervals_question(n: int, p: float, draws: int) -> Array:
    estimate = binomial.binomial_counts(n, p, draws, rng=7, backend="numpy") / draws
    z = 1.959963984540054  # of 95 %
    middle = estimate + z**2 / (2 * draws)
    half = z * np.sqrt(estimate * (1 - estimate) / draws + (z / (2 * draws)) ** 2)
    return np.stack([estimate, *((middle + s * half) / (1 + z**2 / draws) for s in (-1, 1))])


CASES = (
    Case(
        "binomial", "binomial counts", binomial.binomial_counts, _binomial_make,
        {"n": 55, "p": 0.05, "draws": 10**4}, {None: 0.0},
        _binomial_question, _binomial_numpy, {"n": 55, "p": 0.05, "draws": 10**6},
        {"n": 55, "p": 0.05, "draws": 10**5}, random=True,
    ),
    _stream("binomial stream", 55, 0.05),
    _stream("binomial stream, few values", 9, 0.1),
    _stream("binomial stream, mean 25", 100, 0.25),
    _stream("binomial stream, mean 300", 1000, 0.3),
    Case(
        "binomial", "binomial probabilities", binomial.binomial_pmf, _binomial_make,
        {"n": 50, "p": 0.3}, {None: 1e-14}, _pmf_question, _pmf_numpy, {"n": 1000, "p": 0.3},
    ),
    Case(
        "binomial", "intervals of estimated probabilities", _intervals, _binomial_make,
        {"n": 50, "p": 0.3, "draws": 10**4}, {None: 1e-14}, _intervals_question,
    ),
)  # fmt: skip
