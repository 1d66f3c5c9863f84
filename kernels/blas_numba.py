"""Row-major BLAS over scipy.linalg.cython_blas for Numba: the functions of blas.pxd.

LLVM is told the symbols by name, so that code which calls them can be cached. The integer's width
is part of the name: cached code must never meet a BLAS of the other width.
"""

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import get_cython_function_address, intrinsic
from scipy.linalg import cython_blas


def _int_bits():
    # The name of the capsule is the C signature: "void (char *, char *, int *, …".
    signature = repr(cython_blas.__pyx_capi__["dgemm"])
    if "int64_t *" in signature:
        return 64
    if "int *" in signature:
        return 32
    raise ImportError(f"the integer of scipy.linalg.cython_blas is not known: {signature}")


INT_BITS = _int_bits()
_INT = ir.IntType(INT_BITS)
_LETTERS = {types.float32: "s", types.float64: "d", types.complex64: "c", types.complex128: "z"}


def _symbol(routine):
    name = f"hotloops_{routine}_i{INT_BITS}"
    address = get_cython_function_address("scipy.linalg.cython_blas", routine)
    llvmlite.binding.add_symbol(name, address)
    return name


_GEMM = {number: _symbol(letter + "gemm") for number, letter in _LETTERS.items()}


@intrinsic
def gemm(typing, m, n, k, a, lda, b, ldb, c, ldc, add, a_transposed, b_transposed):
    """C (m, n) = A (m, k) @ B (k, n), or with `add` C +=: three arrays, of which the first element
    is taken, and the distances between their rows. A is stored as (k, m) if `a_transposed`, B as
    (n, k) if `b_transposed`."""

    def codegen(context, builder, signature, arguments):
        m, n, k, a, lda, b, ldb, c, ldc, add, a_transposed, b_transposed = arguments
        number = signature.args[7].dtype

        def integer(value):
            return cgutils.alloca_once_value(
                builder, builder.trunc(value, _INT) if INT_BITS < 64 else value
            )

        def data(index, value):
            return context.make_array(signature.args[index])(context, builder, value=value).data

        def constant(value):
            return cgutils.alloca_once_value(builder, context.get_constant(number, value))

        one, zero = (context.get_constant(number, value) for value in (1, 0))
        beta = cgutils.alloca_once_value(builder, builder.select(add, one, zero))

        def operation(transposed):
            letters = (ir.Constant(ir.IntType(8), ord(letter)) for letter in "TN")
            return cgutils.alloca_once_value(builder, builder.select(transposed, *letters))

        # by columns it reads C^T = B^T A^T
        call = [
            operation(b_transposed),
            operation(a_transposed),
            integer(n),
            integer(m),
            integer(k),
            constant(1),
            data(5, b),
            integer(ldb),
            data(3, a),
            integer(lda),
            beta,
            data(7, c),
            integer(ldc),
        ]
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [v.type for v in call]), _GEMM[number]
        )
        builder.call(function, call)
        return context.get_dummy_value()

    size, flag = types.intp, types.boolean
    return types.void(size, size, size, a, size, b, size, c, size, flag, flag, flag), codegen
