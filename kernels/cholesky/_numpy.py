import numpy as np
import scipy.linalg


def _adjoint(a):
    return a.conj().T


def update(i0, i1, j0, j1, k0, k1, left, right, a):
    """Subtract the terms k0 to k1 of a tile."""
    with np.errstate(all="ignore"):
        a[i0:i1, j0:j1] -= left[i0:i1, k0:k1] @ _adjoint(right[j0:j1, k0:k1])


def factor(j0, j1, k0, k1, left, a, share):
    """Factor a tile on the diagonal, less the terms k0 to k1."""
    update(j0, j1, j0, j1, k0, k1, left, left, a)
    potrf = scipy.linalg.get_lapack_funcs("potrf", (a,))
    with np.errstate(all="ignore"):
        lower, bad = potrf(a[j0:j1, j0:j1], lower=True, clean=False)
        a[j0:j1, j0:j1] = lower
        share[j0:j1] = lower.diagonal().real ** 2 / share[j0:j1]
    if bad:
        share[j0 + bad - 1 : j1] = 0


def column(i0, i1, j0, j1, k0, k1, left, right, corner, a):
    """Solve for a tile below the diagonal, less the terms k0 to k1."""
    update(i0, i1, j0, j1, k0, k1, left, right, a)
    a[i0:i1, j0:j1] = _over(a[i0:i1, j0:j1], corner[j0:j1, j0:j1], True)


def _over(b, lower, adjoint):
    """b L⁻ᴴ, or b L⁻¹."""
    trsm = scipy.linalg.get_blas_funcs("trsm", (b,))
    return trsm(1, lower, b, side=1, lower=1, trans_a=2 if adjoint else 0)


def solve(i0, i1, lower, adjoint, b):
    """Make b L⁻ᴴ, or b L⁻¹, of rows b."""
    b[i0:i1] = _over(b[i0:i1], lower, adjoint)


def invert(i0, i1, lower, place, v):
    """Write rows of L⁻ᴴ from the diagonal on, which they have in the column `place`."""
    rest = lower[place:, place:]
    v[i0:i1, place:] = _over(np.eye(i1 - i0, len(rest), dtype=v.dtype), rest, True)


def product(i0, i1, j0, j1, left, right, x, y, scale, start, mirror, out):
    """Write a tile of scale V Vᴴ + x yᴴ, and its mirror image."""
    with np.errstate(all="ignore"):
        tile = scale * (left[i0:i1, start:] @ _adjoint(right[j0:j1, start:]))
        if x.size:
            tile += x[i0:i1] @ _adjoint(y[j0:j1])
    out[i0:i1, j0:j1] = tile
    if mirror:
        out[j0:j1, i0:i1] = _adjoint(tile)
