"""Compare the backends with the reference on this machine, and that with the question's code."""

from collections.abc import Sequence
from typing import Any

from .. import _cases
from .._run.backends import names

_REFERENCE = "numpy"


def selftest(
    cases: Sequence[_cases.Case] = _cases.CASES, backends: Sequence[str] | None = None
) -> int:
    """Compare the backends with the reference on small inputs, and print what comes of it; the
    number of mismatches."""
    failures = 0
    for case in cases:
        for dtype in case.tolerance:
            for backend in backends or names():
                if backend == _REFERENCE and case.random:  # the question draws other numbers
                    continue
                right, what = _judged(case, dtype, backend)
                failures += not right
                name = f"{case.subject}: {case.name}, {getattr(dtype, '__name__', 'exact')}"
                print(f"{'ok  ' if right else 'FAIL'} {name}, {backend}: {what}", flush=True)
    print("the backends agree" if not failures else f"{failures} mismatch(es)")
    return failures


def _judged(case: _cases.Case, dtype: Any, backend: str) -> tuple[bool, str]:
    """Whether the backend is right, and what is to be said of it."""
    arguments, tolerance = case.arguments("tiny", dtype), case.tolerance[dtype]
    try:
        if backend == _REFERENCE:  # the question's code is not as exact
            expected, tolerance = case.question(**arguments), 10 * tolerance
        else:
            expected = case.call(arguments, backend=_REFERENCE)
        error = case.error(case.call(arguments, backend=backend), expected)
        return error <= tolerance, f"error {error:.1e}, allowed {tolerance:.1e}"
    except Exception as problem:
        return False, f"{type(problem).__name__}: {problem}"
