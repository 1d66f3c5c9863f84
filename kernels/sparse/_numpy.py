import numpy as np


def _fill(dtype, r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out):
    """out[r, j] = sum over the nonzeros p of column j of x[r, indices[p]] values[p]."""
    parts = np.arange(dtype.itemsize // x.itemsize)  # of a complex number
    values, out = values.view(dtype), out.view(dtype)
    shape, *strides = axes
    place, row = strides @ np.stack(np.unravel_index(np.arange(r0, r1), shape))
    with np.errstate(all="ignore"):
        for j in range(c0, c1):
            p = slice(starts[j], starts[j + 1])
            places = place[:, None] + origin + step * indices[p].astype(np.int64)
            terms = x[places[..., None] + parts].view(dtype)[..., 0] * values[p]
            out[row, j] = np.add.reduce(terms, axis=1, dtype=dtype)  # row by row, unlike BLAS


def fill(r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out):
    _fill(x.dtype, r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out)


def fill_complex(r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out):
    _fill(
        np.result_type(x, 1j), r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out
    )


def fill_integer(r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out):
    _fill(x.dtype, r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out)


def fill_bool(r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out):
    _fill(np.dtype(bool), r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out)


def _scatter(dtype, r0, r1, axes, x, origin, step, rows, values, indices, starts, out):
    """The sums of `_fill`, of the nonzeros of each column together, in their order."""
    rows = np.repeat(rows, np.diff(starts))
    order = np.argsort(indices, kind="stable")
    columns = out.view(dtype).shape[1]
    starts = np.searchsorted(indices[order], np.arange(columns + 1))
    values = values.view(dtype)[order].view(values.dtype)
    _fill(dtype, r0, r1, 0, columns, axes, x, origin, step, values, rows[order], starts, out)


def scatter(r0, r1, axes, x, origin, step, rows, values, indices, starts, out):
    _scatter(x.dtype, r0, r1, axes, x, origin, step, rows, values, indices, starts, out)


def scatter_complex(r0, r1, axes, x, origin, step, rows, values, indices, starts, out):
    _scatter(
        np.result_type(x, 1j), r0, r1, axes, x, origin, step, rows, values, indices, starts, out
    )


def scatter_integer(r0, r1, axes, x, origin, step, rows, values, indices, starts, out):
    _scatter(x.dtype, r0, r1, axes, x, origin, step, rows, values, indices, starts, out)


def scatter_bool(r0, r1, axes, x, origin, step, rows, values, indices, starts, out):
    _scatter(np.dtype(bool), r0, r1, axes, x, origin, step, rows, values, indices, starts, out)
