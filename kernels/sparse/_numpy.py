import numpy as np


def fill(r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out):
    """out[r, j] = sum over the nonzeros p of column j of x[r, indices[p]] values[p]."""
    shape, *strides = axes
    place, row = strides @ np.stack(np.unravel_index(np.arange(r0, r1), shape))
    with np.errstate(all="ignore"):
        for j in range(c0, c1):
            p = slice(starts[j], starts[j + 1])
            along = origin + step * indices[p].astype(np.int64)
            out[row, j] = x[place[:, None] + along] @ values[p]


def fill_complex(r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out):
    """The same for pairs of real numbers."""
    dtype = np.result_type(x, 1j)
    x, values, out = x.view(dtype), values.view(dtype), out.view(dtype)
    fill(r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out)


def fill_integer(r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out):
    """The same: NumPy's integers wrap."""
    fill(r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out)


def fill_bool(r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out):
    """The same with "or" for the sum and "and" for the product."""
    x, values, out = x.view(bool), values.view(bool), out.view(bool)
    fill(r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out)
