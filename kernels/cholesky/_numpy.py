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


def back(j0, j1, k0, k1, behind, lower, corner, b):
    """Solve for columns of b L⁻¹, given those behind them."""
    with np.errstate(all="ignore"):
        b[:, j0:j1] -= behind[:, k0:k1] @ lower[k0:k1, j0:j1]
    b[:, j0:j1] = _over(b[:, j0:j1], corner[j0:j1, j0:j1], False)


def corner(j0, j1, lower, v):
    """Write a tile of L⁻ᴴ on the diagonal."""
    identity = np.eye(j1 - j0, dtype=v.dtype)
    v[j0:j1, : j1 - j0] = _over(identity, lower[j0:j1, j0:j1], True)


def invert(i0, i1, j0, j1, k0, k1, start, first, left, right, corner, v):
    """Write a tile of L⁻ᴴ above the diagonal."""
    with np.errstate(all="ignore"):
        tile = start[i0:i1, : i1 - i0] @ _adjoint(first[j0:j1, i0:i1])
        tile += left[i0:i1, k0:k1] @ _adjoint(right[j0:j1, k0:k1])
        v[i0:i1, j0:j1] = -tile @ corner[j0:j1, : j1 - j0]


def square(j0, j1, k0, k1, corner, right, x, scale, weight, out):
    """Write a tile of scale V Vᴴ + weight xᴴ x on the diagonal."""
    with np.errstate(all="ignore"):
        v = np.hstack([corner[j0:j1, : j1 - j0], right[j0:j1, k0:k1]])
        tile = scale * (v @ _adjoint(v)) + weight * (_adjoint(x[:, j0:j1]) @ x[:, j0:j1])
        out[j0:j1, j0:j1] = (tile + _adjoint(tile)) / 2


def product(i0, i1, j0, j1, k0, k1, corner, left, right, x, y, scale, weight, out):
    """Write a tile of it above the diagonal, in place of one of V."""
    with np.errstate(all="ignore"):
        tile = out[i0:i1, j0:j1] @ _adjoint(corner[j0:j1, : j1 - j0])
        tile += left[i0:i1, k0:k1] @ _adjoint(right[j0:j1, k0:k1])
        out[i0:i1, j0:j1] = scale * tile + weight * (_adjoint(x[:, i0:i1]) @ y[:, j0:j1])


def gram(i0, i1, j0, j1, left, right, mirror, out):
    """Write a tile of V Vᴴ, and its mirror image."""
    with np.errstate(all="ignore"):
        tile = left[i0:i1] @ _adjoint(right[j0:j1])
    out[i0:i1, j0:j1] = tile
    if mirror:
        out[j0:j1, i0:i1] = _adjoint(tile)
