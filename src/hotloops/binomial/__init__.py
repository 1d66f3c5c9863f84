"""Binomial variables: how likely their values are, and how often draws give each."""

from .counts import binomial_counts
from .probabilities import binomial_pmf, binomial_probabilities

__all__ = ["binomial_counts", "binomial_pmf", "binomial_probabilities"]


def __dir__() -> list[str]:
    return __all__
