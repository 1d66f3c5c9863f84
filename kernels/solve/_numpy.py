import numpy as np
import scipy.linalg


def side_by_side(s0, s1, a, b, positive, x, failed):
    """The systems of `one_by_one` in numbers that have a last axis of their parts."""
    one_by_one(s0, s1, _joined(a), _joined(b), positive, _joined(x), failed)


def one_by_one(s0, s1, a, b, positive, x, failed):
    """a[s] @ x[s] = b[s]; with `positive` only the lower triangle of a[s] is read, which is
    positive definite."""
    read, solve = (np.tril, _solve_positive) if positive else (np.asarray, np.linalg.solve)
    for s in range(s0, s1):
        x[s], failed[s], matrix = np.nan, 0, read(a[s])
        if np.isfinite(matrix).all():
            try:
                with np.errstate(all="ignore"):
                    x[s] = solve(matrix, b[s])
            except np.linalg.LinAlgError:
                failed[s] = 1


def _joined(parts):
    if parts.shape[-1] == 2:
        parts = parts.view(np.result_type(parts.dtype, np.complex64))
    return parts[..., 0]


def _solve_positive(a, b):
    factor = scipy.linalg.cho_factor(a, lower=True, check_finite=False)
    return scipy.linalg.cho_solve(factor, b, check_finite=False)
