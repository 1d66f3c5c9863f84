import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .._blas_numba import gemm
from .._jit_numba import inlined, jit
from . import CACHED, LIMIT, SMALL, SMALL_COMPLEX

SHIFT = 3.0 * LIMIT  # puts smaller integers into the low bits of a float64
SHIFT_BITS = np.float64(SHIFT).view(np.int64)

_REAL = {types.float32: ir.FloatType(), types.complex64: ir.FloatType(),
         types.float64: ir.DoubleType(), types.complex128: ir.DoubleType()}  # fmt: skip


@intrinsic(prefer_literal=True)
def _tile(typing, rows, length, n, l, a, x, b, y, out, to, booleans):
    """`rows` rows of a product of matrices with n and l columns, one vector of `length` bytes each:
    from element `to` of out on; of a from its element x on, of b from y on.

    The sums stay in registers. A row of complex numbers has two: the real parts of a times b, and
    the imaginary parts times b. `booleans`: 0 and 1 in bytes, with "or" and "and".
    """
    dtype, rows_ = out.dtype, range(rows.literal_value)
    parts = 2 if isinstance(dtype, types.Complex) else 1
    width = dtype.bitwidth // 8 // parts
    lanes = max(parts, length.literal_value // width)
    number = _REAL.get(dtype) or ir.IntType(8 * width)
    vector = ir.VectorType(number, lanes) if lanes > 1 else number
    index, lane, contract = ir.IntType(64), ir.IntType(32), {"flags": ("contract",)}

    def codegen(context, builder, signature, arguments):
        n, l, a, x, b, y, out, to = arguments[2:10]

        def first(position, array, element):
            data = context.make_array(signature.args[position])(context, builder, array).data
            return builder.bitcast(builder.gep(data, [element]), number.as_pointer())

        a, b, out = first(4, a, x), first(6, b, y), first(8, out, to)

        def at(pointer, row, columns, column=None, part=0):
            element = builder.mul(row, columns)
            if column is not None:
                element = builder.add(element, column)
            element = builder.add(builder.mul(element, index(parts)), index(part))
            return builder.gep(pointer, [element])

        def as_vector(pointer):
            return builder.bitcast(pointer, vector.as_pointer())

        def shuffle(value, order):
            order = ir.Constant(ir.VectorType(lane, lanes), order)
            return builder.shuffle_vector(value, value, order)

        def in_all_lanes(value):
            if lanes == 1:
                return value
            value = builder.insert_element(ir.Constant(vector, ir.Undefined), value, lane(0))
            return shuffle(value, [0] * lanes)

        def plus_product(total, x, y):
            if booleans.literal_value:
                return builder.or_(total, builder.and_(x, y))
            if dtype in _REAL:
                return builder.fadd(total, builder.fmul(x, y, **contract), **contract)
            return builder.add(total, builder.mul(x, y))

        zero = ir.Constant(vector, None)
        sums = [[cgutils.alloca_once_value(builder, zero) for part in range(parts)]
                for row in rows_]  # fmt: skip
        with cgutils.for_range(builder, n) as term:
            values = builder.load(as_vector(at(b, term.index, l)), align=width)
            for row in rows_:
                for part, total in enumerate(sums[row]):
                    factor = in_all_lanes(builder.load(at(a, index(row), n, term.index, part)))
                    builder.store(plus_product(builder.load(total), factor, values), total)
        for row in rows_:
            total = builder.load(sums[row][0])
            if parts == 2:
                turned = shuffle(builder.load(sums[row][1]), [w ^ 1 for w in range(lanes)])
                signs = ir.Constant(vector, [-1.0, 1.0] * (lanes // 2))
                total = builder.fadd(total, builder.fmul(turned, signs))
            builder.store(total, as_vector(at(out, index(row), l)), align=width)
        return context.get_dummy_value()

    return types.void(rows, length, n, l, a, x, b, y, out, to, booleans), codegen


def _strips(length, booleans):
    """A product in strips of columns of `length` bytes. A last tile that would stand out overlaps
    the one before it."""

    @inlined
    def strips(m, n, l, a, x, b, y, out, to):
        width = max(1, length // out.itemsize)
        for w in range(0, l, width):
            c = min(w, l - width)
            if m >= 4:
                for i in range(0, m, 4):
                    r = min(i, m - 4)
                    _tile(4, length, n, l, a, x + r * n, b, y + c, out, to + r * l + c, booleans)
            elif m == 3:
                _tile(3, length, n, l, a, x, b, y + c, out, to + c, booleans)
            elif m == 2:
                _tile(2, length, n, l, a, x, b, y + c, out, to + c, booleans)
            else:
                _tile(1, length, n, l, a, x, b, y + c, out, to + c, booleans)

    return strips


def _products(booleans):
    """The function that makes products of small matrices."""
    strips_64, strips_32, strips_16, strips_1 = (
        _strips(length, booleans) for length in (64, 32, 16, 1)
    )

    @jit
    def products(p0, p1, r0, r1, a, b, k, out):
        d, m, n = a.shape
        l = b.shape[2]
        length = l * out.itemsize
        i, j = p0 // k, p0 % k
        s = (i + j) % d
        for p in range(p0, p1):
            x, y, to = (i * m + r0) * n, s * n * l, (p * m + r0) * l
            if length >= 64:
                strips_64(r1 - r0, n, l, a, x, b, y, out, to)
            elif length >= 32:
                strips_32(r1 - r0, n, l, a, x, b, y, out, to)
            elif length >= 16:
                strips_16(r1 - r0, n, l, a, x, b, y, out, to)
            else:
                strips_1(r1 - r0, n, l, a, x, b, y, out, to)
            j += 1
            s += 1
            if s == d:
                s = 0
            if j == k:
                j = 0
                i += 1
                s = i

    return products


_multiply, _combine = _products(0), _products(1)


@jit
def fill(p0, p1, r0, r1, a, b, k, out):
    m, n, l = r1 - r0, a.shape[2], b.shape[2]
    small = SMALL_COMPLEX if np.iscomplexobj(out) else SMALL
    if max(m, n, l) <= small:
        _multiply(p0, p1, r0, r1, a, b, k, out)
    else:
        for p in range(p0, p1):
            i = p // k
            y = b[(i + p % k) % len(b)]
            gemm(m, l, n, a[i, r0:r1], n, y, l, out[p, r0:r1], l, False, False, False)


@jit
def fill_exact(p0, p1, r0, r1, a, b, k, out):
    m, l = out.shape[1:]
    count = (r1 - r0) * l
    # a run of whole products is one run of numbers
    step = max(1, CACHED // count) if r1 - r0 == m else 1
    for p in range(p0, p1, step):
        q = min(p + step, p1)
        fill(p, q, r0, r1, a, b, k, out)
        start = (p * m + r0) * l
        numbers = out.reshape(-1)[start : start + (q - p) * count]
        integers = numbers.view(np.int64)
        # two loops that are vectorised
        for w in range(len(numbers)):
            numbers[w] += SHIFT
        for w in range(len(numbers)):
            integers[w] -= SHIFT_BITS


@jit
def fill_integer(p0, p1, r0, r1, a, b, k, out):
    _multiply(p0, p1, r0, r1, a, b, k, out)


@jit
def fill_bool(p0, p1, r0, r1, a, b, k, out):
    _combine(p0, p1, r0, r1, a, b, k, out)
