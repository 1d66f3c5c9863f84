import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .._jit_numba import jit
from . import LANES

GROUP = 64  # columns whose sums are written together
CHUNK = 256  # nonzeros whose numbers stay in the first cache
WINDOW = 32768  # rows of the matrix whose numbers may be held
FEW = 2  # rows that are not worth a tile


@intrinsic
def _add(typing, start, stop, values, places, shift, first, tile, y, j):
    """y[j] += the sum over the nonzeros p of values[p] tile[places[p - shift] - first], in
    registers: two vectors, of complex numbers, whose values are pairs, the real and the imaginary
    parts."""
    bits = tile.dtype.bitwidth
    floating = isinstance(tile.dtype, types.Float)
    pairs, boolean = values.ndim == 2, values.dtype == types.boolean
    real = {32: ir.FloatType(), 64: ir.DoubleType()}[bits] if floating else ir.IntType(bits)
    width = 8 * LANES // bits // 2
    vector, lane = ir.VectorType(real, width), ir.IntType(32)

    def codegen(context, builder, signature, arguments):
        start, stop, values, places, shift, first, tile, y, j = (
            context.make_array(t)(context, builder, value=v).data
            if isinstance(t, types.Array) else v
            for t, v in zip(signature.args, arguments, strict=True)
        )  # fmt: skip

        def halves(data, row):
            at = builder.bitcast(data, vector.as_pointer())
            row = builder.mul(row, row.type(2))
            return [builder.gep(at, [builder.add(row, row.type(h))]) for h in range(2)]

        def spread(number):
            one = builder.insert_element(ir.Constant(vector, ir.Undefined), number, lane(0))
            zeros = ir.Constant(ir.VectorType(lane, width), [0] * width)
            return builder.shuffle_vector(one, one, zeros)

        def plus(total, x, y, minus=False):
            if not floating:
                return builder.add(total, builder.mul(x, y))
            product = builder.fmul(x, y, flags=("contract",))
            combine = builder.fsub if minus else builder.fadd
            return combine(total, product, flags=("contract",))

        sums = []
        for at in halves(y, j):
            sums.append(cgutils.alloca_once(builder, vector))
            builder.store(builder.load(at, align=bits // 8), sums[-1])
        with cgutils.for_range_slice(builder, start, stop, stop.type(1)) as (p, _):
            place = builder.load(builder.gep(places, [builder.sub(p, shift)]))
            if place.type.width < first.type.width:
                place = builder.sext(place, first.type)
            x, u = (builder.load(at, align=bits // 8)
                    for at in halves(tile, builder.sub(place, first)))  # fmt: skip
            a, b = map(builder.load, sums)
            if pairs:
                p = builder.mul(p, p.type(2))
            v = spread(builder.load(builder.gep(values, [p])))
            if boolean:
                a = builder.or_(a, builder.and_(v, x))
                b = builder.or_(b, builder.and_(v, u))
            else:
                a, b = plus(a, v, x), plus(b, v, u)
            if pairs:
                v = spread(builder.load(builder.gep(values, [builder.add(p, p.type(1))])))
                a, b = plus(a, v, u, minus=True), plus(b, v, x)
            builder.store(a, sums[0])
            builder.store(b, sums[1])
        for at, total in zip(halves(y, j), sums, strict=True):
            builder.store(builder.load(total), at, align=bits // 8)
        return context.get_dummy_value()

    size = types.intp
    return types.void(size, size, values, places, size, size, tile, y, size), codegen


@jit
def _locate(r, axes):
    """Where row r starts in x, and which row of out it is."""
    place = row = 0
    for a in range(axes.shape[1] - 1, 0, -1):
        place += r % axes[0, a] * axes[1, a]
        row += r % axes[0, a] * axes[2, a]
        r //= axes[0, a]
    return place + r * axes[1, 0], row + r * axes[2, 0]


@jit
def _load(parts, n, x, places, at, tile, i):
    for w in range(n):
        tile[i, w] = x[places[w] + at]
    if parts == 2:
        for w in range(n):
            tile[i, tile.shape[1] // 2 + w] = x[places[w] + at + 1]


@jit
def _window(indices, start, stop):
    """The rows of the matrix from the first to the last that holds any of these nonzeros, if they
    are few enough to be held and often enough used; else none."""
    if start == stop:
        return 0, 0
    low = high = indices[start]
    for p in range(start, stop):
        low, high = min(low, indices[p]), max(high, indices[p])
    few = high - low < min(2 * (stop - start), WINDOW)
    return low, high - low + 1 if few else 0


@jit
def _tile(
    parts, n, c0, c1, x, origin, places, step, first, window, values, indices, starts, out,
    rows, tile, y, order,
):  # fmt: skip
    # With a window the tile holds the rows' numbers from `first` on, and a nonzero's are at its
    # index; else it holds those of one chunk of nonzeros after another, in their order.
    for i in range(window):
        _load(parts, n, x, places, origin + (first + i) * step, tile, i)
    half = tile.shape[1] // 2
    for c in range(c0, c1, GROUP):
        end = min(c + GROUP, c1)
        y[: end - c] = 0
        q0 = q1 = starts[c]
        for j in range(c, end):
            p, stop = starts[j], starts[j + 1]
            if window:
                _add(p, stop, values, indices, 0, first, tile, y, j - c)
                continue
            while p < stop:
                if p == q1:
                    q0, q1 = q1, min(q1 + CHUNK, starts[end])
                    for q in range(q0, q1):
                        _load(parts, n, x, places, origin + indices[q] * step, tile, q - q0)
                _add(p, min(stop, q1), values, order, q0, 0, tile, y, j - c)
                p = min(stop, q1)
        for w in range(n):
            if parts == 2:
                for j in range(c, end):
                    out[rows[w], 2 * j] = y[j - c, w]
                    out[rows[w], 2 * j + 1] = y[j - c, half + w]
            else:
                for j in range(c, end):
                    out[rows[w], j] = y[j - c, w]


@jit
def _block(
    parts, r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out
):  # fmt: skip
    first, window = 0, 0
    if r1 - r0 > FEW:
        first, window = _window(indices, starts[c0], starts[c1])
    lanes = LANES // x.itemsize
    tile = np.zeros((max(window, CHUNK), lanes), x.dtype)
    y = np.zeros((GROUP, lanes), x.dtype)
    order = np.arange(CHUNK).astype(indices.dtype)
    places = np.empty(lanes, np.intp)
    rows = np.empty(lanes, np.intp)
    for r in range(r0, r1, lanes // parts):
        n = min(r1 - r, lanes // parts)
        for w in range(n):
            places[w], rows[w] = _locate(r + w, axes)
        _tile(
            parts, n, c0, c1, x, origin, places, step, first, window, values, indices, starts,
            out, rows, tile, y, order,
        )  # fmt: skip


@jit
def fill(r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out):
    _block(1, r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out)


@jit
def fill_complex(r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out):
    pairs = values.reshape(len(values) // 2, 2)
    _block(2, r0, r1, c0, c1, axes, x, origin, step, pairs, indices, starts, out)


@jit
def fill_integer(r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out):
    _block(1, r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out)


@jit
def fill_bool(r0, r1, c0, c1, axes, x, origin, step, values, indices, starts, out):
    booleans = values.view(np.bool_)
    _block(1, r0, r1, c0, c1, axes, x, origin, step, booleans, indices, starts, out)


@jit
def scatter(r0, r1, axes, x, origin, step, rows, values, indices, starts, out):
    for r in range(r0, r1):
        place, row = _locate(r, axes)
        out[row] = 0
        for g in range(len(rows)):
            s = x[place + origin + step * rows[g]]
            for p in range(starts[g], starts[g + 1]):
                out[row, indices[p]] += values[p] * s


@jit
def scatter_complex(r0, r1, axes, x, origin, step, rows, values, indices, starts, out):
    for r in range(r0, r1):
        place, row = _locate(r, axes)
        out[row] = 0
        for g in range(len(rows)):
            at = place + origin + step * rows[g]
            s, t = x[at], x[at + 1]
            for p in range(starts[g], starts[g + 1]):
                j = 2 * np.intp(indices[p])
                re, im = out[row, j], out[row, j + 1]
                re += values[2 * p] * s
                im += values[2 * p] * t
                re -= values[2 * p + 1] * t
                im += values[2 * p + 1] * s
                out[row, j], out[row, j + 1] = re, im


@jit
def scatter_integer(r0, r1, axes, x, origin, step, rows, values, indices, starts, out):
    scatter(r0, r1, axes, x, origin, step, rows, values, indices, starts, out)


@jit
def scatter_bool(r0, r1, axes, x, origin, step, rows, values, indices, starts, out):
    for r in range(r0, r1):
        place, row = _locate(r, axes)
        out[row] = 0
        for g in range(len(rows)):
            s = x[place + origin + step * rows[g]]
            for p in range(starts[g], starts[g + 1]):
                out[row, indices[p]] |= values[p] & s
