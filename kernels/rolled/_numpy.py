import numpy as np


def fill(p0, p1, r0, r1, a, b, k, out):
    """out[i k + j, r0:r1] = a[i, r0:r1] @ b[(i + j) mod d]."""
    with np.errstate(all="ignore"):
        for p in range(p0, p1):
            i, j = divmod(p, k)
            out[p, r0:r1] = a[i, r0:r1] @ b[(i + j) % len(b)]


def fill_exact(p0, p1, r0, r1, a, b, k, out):
    """The products of `fill` of integers as float64, which leave as int64."""
    fill(p0, p1, r0, r1, a, b, k, out)
    out.view(np.int64)[p0:p1, r0:r1] = out[p0:p1, r0:r1].astype(np.int64)


def fill_integer(p0, p1, r0, r1, a, b, k, out):
    """The products of `fill` of unsigned integers: NumPy's wrap."""
    fill(p0, p1, r0, r1, a, b, k, out)


def fill_bool(p0, p1, r0, r1, a, b, k, out):
    """The products of `fill` with "or" for the sum and "and" for the product."""
    fill(p0, p1, r0, r1, a.view(bool), b.view(bool), k, out.view(bool))
