from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ..blas_numba import gemm
from ..jit_numba import jit

WIDE = 8  # columns of a product whose rows stay in registers
SMALL = 12  # rows and inner size of it; above, BLAS is faster

_FLOAT, _DOUBLE = (ir.FloatType(), 4), (ir.DoubleType(), 8)
_REAL = {types.float32: _FLOAT, types.complex64: _FLOAT,
         types.float64: _DOUBLE, types.complex128: _DOUBLE}  # fmt: skip


@intrinsic
def _product(typing, i, s, p, a, b, out):
    """out[p] = a[i] @ b[s] for up to WIDE columns. A row is one vector; one of complex numbers is
    two, the real parts times all and the imaginary parts times all, put together at the end."""
    real, align = _REAL[out.dtype]
    parts = 2 if isinstance(out.dtype, types.Complex) else 1
    index, lane = ir.IntType(64), ir.IntType(32)

    def codegen(context, builder, signature, arguments):
        arrays = [context.make_array(t)(context, builder, value=v)
                  for t, v in zip(signature.args[3:], arguments[3:], strict=True)]  # fmt: skip
        _, m, n = cgutils.unpack_tuple(builder, arrays[0].shape)
        l = builder.extract_value(arrays[1].shape, 2)

        def matrix(array, item, rows, columns):
            offset = builder.mul(item, builder.mul(rows, columns))
            return builder.bitcast(builder.gep(array.data, [offset]), real.as_pointer())

        a, b, out = map(matrix, arrays, arguments[:3], (m, n, m), (n, l, l))

        def rows(n, width):
            # sums have a power of two lanes, whatever is in the last ones
            full = 1 << (width - 1).bit_length()
            stored, vector = ir.VectorType(real, width), ir.VectorType(real, full)
            lanes = list(range(width)) + [0] * (full - width)

            def shuffle(value, lanes):
                lanes = ir.Constant(ir.VectorType(lane, len(lanes)), lanes)
                return builder.shuffle_vector(value, value, lanes)

            def row_of(pointer, row):
                offset = builder.mul(row, index(width))
                return builder.bitcast(builder.gep(pointer, [offset]), stored.as_pointer())

            with cgutils.for_range(builder, m) as row:
                sums = [cgutils.alloca_once_value(builder, ir.Constant(vector, [0.0] * full))
                        for part in range(parts)]  # fmt: skip
                with cgutils.for_range(builder, n) as term:
                    y = shuffle(builder.load(row_of(b, term.index), align=align), lanes)
                    first = builder.add(builder.mul(row.index, n), term.index)
                    for part in range(parts):
                        offset = builder.add(builder.mul(first, index(parts)), index(part))
                        x = builder.load(builder.gep(a, [offset]))
                        x = builder.insert_element(ir.Constant(vector, ir.Undefined), x, lane(0))
                        product = builder.fmul(shuffle(x, [0] * full), y, flags=("contract",))
                        total = builder.load(sums[part])
                        total = builder.fadd(total, product, flags=("contract",))
                        builder.store(total, sums[part])
                total = builder.load(sums[0])
                if parts == 2:
                    turned = shuffle(builder.load(sums[1]), [w ^ 1 for w in range(full)])
                    signs = ir.Constant(vector, [-1.0, 1.0] * (full // 2))
                    total = builder.fadd(total, builder.fmul(turned, signs))
                builder.store(shuffle(total, lanes[:width]), row_of(out, row.index), align=align)

        for columns in range(1, WIDE + 1):
            with builder.if_then(builder.icmp_signed("==", l, index(columns))):
                square = builder.icmp_signed("==", n, index(columns))
                with builder.if_else(square) as (then, otherwise):
                    with then:  # a constant is unrolled
                        rows(index(columns), parts * columns)
                    with otherwise:
                        rows(n, parts * columns)
        return context.get_dummy_value()

    size = types.intp
    return types.void(size, size, size, a, b, out), codegen


@jit
def fill(p0, p1, r0, r1, a, b, k, out):
    d, m, n = a.shape
    l = b.shape[2]
    small = r1 - r0 == m and max(m, n) <= SMALL and l <= WIDE
    i, j = p0 // k, p0 % k
    s = (i + j) % d
    for p in range(p0, p1):
        if small:
            _product(i, s, p, a, b, out)
        else:
            gemm(r1 - r0, l, n, a[i, r0:r1], n, b[s], l, out[p, r0:r1], l, False, False, False)
        j += 1
        s += 1
        if s == d:
            s = 0
        if j == k:
            j = 0
            i += 1
            s = i


@jit
def fill_integer(p0, p1, r0, r1, a, b, k, out):
    for p in range(p0, p1):
        i, j = p // k, p % k
        x, y, z = a[i], b[(i + j) % len(b)], out[p]
        for r in range(r0, r1):
            z[r] = 0
            for q in range(x.shape[1]):
                for w in range(y.shape[1]):
                    z[r, w] += x[r, q] * y[q, w]


@jit
def fill_bool(p0, p1, r0, r1, a, b, k, out):
    for p in range(p0, p1):
        i, j = p // k, p % k
        x, y, z = a[i], b[(i + j) % len(b)], out[p]
        for r in range(r0, r1):
            z[r] = 0
            for q in range(x.shape[1]):
                for w in range(y.shape[1]):
                    z[r, w] |= x[r, q] & y[q, w]
