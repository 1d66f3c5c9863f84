"""Compare the backends with the reference on this machine."""

from collections.abc import Sequence
from typing import Any

from .. import _cases
from .._run.backends import names
from .._typing import Array


def selftest(
    cases: Sequence[_cases.Case] = _cases.CASES, backends: Sequence[str] | None = None
) -> int:
    """Compare the backends with the reference on small inputs, and print what comes of it; the
    number of mismatches."""
    failures = 0
    for case in cases:
        for dtype, tolerance in case.tolerance.items():
            arguments = case.arguments("tiny", dtype)
            reference: Any
            try:
                reference = case.call(arguments, backend="numpy")
            except Exception as problem:
                reference = problem
            for backend in backends or names():
                right, what = _judged(case, tolerance, arguments, reference, backend)
                failures += not right
                name = f"{case.subject}: {case.name}, {getattr(dtype, '__name__', 'exact')}"
                print(f"{'ok  ' if right else 'FAIL'} {name}, {backend}: {what}", flush=True)
    print("the backends agree" if not failures else f"{failures} mismatch(es)")
    return failures


def _judged(
    case: _cases.Case,
    tolerance: float,
    arguments: dict[str, Any],
    reference: Array | Exception,
    backend: str,
) -> tuple[bool, str]:
    """Whether the backend is right, and what is to be said of it."""
    try:
        if isinstance(reference, Exception):
            raise reference
        error = case.error(case.call(arguments, backend=backend), reference)
        return error <= tolerance, f"error {error:.1e}, allowed {tolerance:.1e}"
    except Exception as problem:
        return False, f"{type(problem).__name__}: {problem}"
