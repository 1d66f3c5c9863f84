import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ..blas_numba import gemm
from ..jit_numba import inlined, jit

SMALL = 16  # rows and columns of real matrices; above, BLAS is as fast
SMALL_COMPLEX = 32
SHIFT = 1.5 * 2.0**52  # puts integers within 2^51 into the low bits of a float64
SHIFT_BITS = 0x4338000000000000
CACHED = 2048  # numbers that are still in the first cache when they are read again

_REAL = {types.float32: ir.FloatType(), types.complex64: ir.FloatType(),
         types.float64: ir.DoubleType(), types.complex128: ir.DoubleType()}  # fmt: skip


@intrinsic(prefer_literal=True)
def _tile(typing, rows, length, n, l, a, x, b, y, out, to, booleans):
    """`rows` rows of a product of matrices with n and l columns, a vector of `length` bytes each:
    those of a from its element x on, times those of b from y on, into those of out from `to` on.

    A row of complex numbers has two sums, the real parts of a times b and the imaginary parts
    times b. `booleans`: 0 and 1 in bytes.
    """
    dtype = out.dtype
    parts = 2 if isinstance(dtype, types.Complex) else 1
    size = dtype.bitwidth // 8 // parts
    lanes = max(parts, length.literal_value // size)
    real = _REAL.get(dtype) or ir.IntType(8 * size)
    vector = ir.VectorType(real, lanes) if lanes > 1 else real
    high = rows.literal_value

    def codegen(context, builder, signature, arguments):
        _, _, n, l, a, x, b, y, out, to, _ = arguments

        def pointer(index, array, offset):
            data = context.make_array(signature.args[index])(context, builder, value=array).data
            return builder.bitcast(builder.gep(data, [offset]), real.as_pointer())

        a, b, out = pointer(4, a, x), pointer(6, b, y), pointer(8, out, to)

        def at(pointer, row, columns, column, part=0):
            offset = builder.add(builder.mul(row, columns), column)
            offset = builder.add(builder.mul(offset, size_(parts)), size_(part))
            return builder.gep(pointer, [offset])

        def size_(value):
            return context.get_constant(types.intp, value)

        def shuffle(value, order):
            order = ir.Constant(ir.VectorType(ir.IntType(32), lanes), order)
            return builder.shuffle_vector(value, value, order)

        def spread(value):
            if lanes == 1:
                return value
            value = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.IntType(32)(0))
            return shuffle(value, [0] * lanes)

        def plus_product(total, x, y):
            if booleans.literal_value:
                return builder.or_(total, builder.and_(x, y))
            if dtype in _REAL:
                product = builder.fmul(x, y, flags=("contract",))
                return builder.fadd(total, product, flags=("contract",))
            return builder.add(total, builder.mul(x, y))

        zero = ir.Constant(vector, None)
        sums = [[cgutils.alloca_once_value(builder, zero) for _ in range(parts)]
                for _ in range(high)]  # fmt: skip
        with cgutils.for_range(builder, n) as term:
            row = builder.bitcast(at(b, term.index, l, size_(0)), vector.as_pointer())
            row = builder.load(row, align=size)
            for r in range(high):
                for part in range(parts):
                    number = builder.load(at(a, size_(r), n, term.index, part))
                    total = plus_product(builder.load(sums[r][part]), spread(number), row)
                    builder.store(total, sums[r][part])
        for r in range(high):
            total = builder.load(sums[r][0])
            if parts == 2:
                turned = shuffle(builder.load(sums[r][1]), [w ^ 1 for w in range(lanes)])
                signs = ir.Constant(vector, [-1.0, 1.0] * (lanes // 2))
                total = builder.fadd(total, builder.fmul(turned, signs))
            place = builder.bitcast(at(out, size_(r), l, size_(0)), vector.as_pointer())
            builder.store(total, place, align=size)
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
            else:
                for r in range(m):
                    _tile(1, length, n, l, a, x + r * n, b, y + c, out, to + r * l + c, booleans)

    return strips


def _small(booleans):
    """The block function for small matrices."""
    strips_64, strips_32, strips_16, strips_1 = (
        _strips(length, booleans) for length in (64, 32, 16, 1)
    )

    @jit
    def fill(p0, p1, r0, r1, a, b, k, out):
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

    return fill


fill_integer, fill_bool = _small(0), _small(1)
_fill_small = fill_integer  # of any numbers


@jit
def fill(p0, p1, r0, r1, a, b, k, out):
    m, n, l = r1 - r0, a.shape[2], b.shape[2]
    small = SMALL_COMPLEX if np.iscomplexobj(out) else SMALL
    if max(m, n, l) <= small:
        _fill_small(p0, p1, r0, r1, a, b, k, out)
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
