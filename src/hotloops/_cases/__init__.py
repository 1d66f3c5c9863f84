"""The cases that compare, selftest, the tests and the benchmarks share: a file for each subject.

Each case has its inputs at a tiny size, code that says what is asked for, and how far a backend may
be from the reference. Those with a full size too are timed: by compare and the benchmarks, beside
the best that NumPy does. The others are checked alone, by selftest and the tests.
"""

from collections.abc import Collection

from .._run.lines import lines, subjects
from . import (
    ard,
    binomial,
    cholesky,
    field,
    linalg,
    lstsq,
    lu,
    optics,
    qr,
    rolled,
    rows,
    solve,
    sparse,
)
from .case import Case

__all__ = ["CASES", "SIZES", "Case", "blocks", "timed"]

SIZES = ("full", "small")  # those that are timed

CASES = (
    *ard.CASES,
    *field.CASES,
    *lstsq.CASES,
    *optics.CASES,
    *rolled.CASES,
    *binomial.CASES,
    *sparse.CASES,
    *solve.CASES,
    *linalg.CASES,
    *rows.CASES,
    *lu.CASES,
    *qr.CASES,
    *cholesky.CASES,
)


def timed(subjects: Collection[str] = ()) -> list[Case]:
    """The cases of these subjects that are timed, all if none is named."""
    return [case for case in CASES if case.full and (not subjects or case.subject in subjects)]


def blocks() -> list[tuple[str, str]]:
    """(subject, block) of every block there is: each is run by a case of its subject."""
    return [(subject, name) for subject in subjects() for name in lines(subject)]
