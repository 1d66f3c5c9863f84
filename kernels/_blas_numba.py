"""Row-major BLAS and LAPACK over SciPy's for Numba: the functions of blas.pxd.

LLVM is told the symbols by name, so that code which calls them can be cached. The integer's width
is part of the name: cached code must never meet a BLAS of the other width.
"""

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import get_cython_function_address, intrinsic
from scipy.linalg import cython_blas, cython_lapack

from ._jit_numba import inlined


def _int_bits():
    # The name of the capsule is the C signature: "void (char *, char *, int *, …".
    signature = repr(cython_blas.__pyx_capi__["dgemm"])
    if "int64_t *" in signature:
        return 64
    if "int *" in signature:
        return 32
    raise ImportError(f"the integer of scipy.linalg.cython_blas is not known: {signature}")


INT_BITS = _int_bits()
#: The dtype of LAPACK's integers.
BLAS_INT = np.intc if INT_BITS == 32 else np.int64
_INT = ir.IntType(INT_BITS)
_LETTERS = {types.float32: "s", types.float64: "d", types.complex64: "c", types.complex128: "z"}


def _symbol(routine):
    name = f"hotloops_{routine}_i{INT_BITS}"
    library = cython_blas if routine in cython_blas.__pyx_capi__ else cython_lapack
    address = get_cython_function_address(library.__name__, routine)
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


# --- for least squares and systems ----------------------------------------------------------


def _fortran(routines, form):
    """An intrinsic that calls one of four routines, by the number type of the first array in the
    tuple of its arguments, and returns the last integer that the routine writes.

    `form` has a letter for each argument of the routine. Taken from the tuple: "i" an integer,
    "c" a character's code, "a" an array's first element, "r" one that only complex routines take.
    Given by itself: "1", "m" and "0", the numbers 1, -1 and 0 of the array's type, "p", "n" and
    "z", real ones, "s", the integer 1, "-", where the integer that is returned is written."""
    symbols = dict(zip(_LETTERS, map(_symbol, routines.split()), strict=True))

    @intrinsic
    def call(typing, arguments):
        number = next(t for t in arguments if isinstance(t, types.Array)).dtype
        real = getattr(number, "underlying_float", number)
        own = {
            "1": (number, 1), "m": (number, -1), "0": (number, 0),
            "p": (real, 1), "n": (real, -1), "z": (real, 0),
        }  # fmt: skip

        def codegen(context, builder, signature, values):
            kinds = iter(signature.args[0])
            values = iter(cgutils.unpack_tuple(builder, values[0]))
            written = cgutils.alloca_once_value(builder, ir.Constant(_INT, 0))
            pointers = []
            for letter in form:
                if letter in "ar":
                    array = context.make_array(next(kinds))(context, builder, value=next(values))
                    if letter == "a" or number != real:
                        pointers.append(array.data)
                    continue
                if letter == "-":
                    pointers.append(written)
                    continue
                if letter in own:
                    value = context.get_constant(*own[letter])
                elif letter == "s":
                    value = ir.Constant(_INT, 1)
                else:
                    next(kinds)
                    value, width = next(values), _INT if letter == "i" else ir.IntType(8)
                    value = builder.trunc(value, width) if width.width < 64 else value
                pointers.append(cgutils.alloca_once_value(builder, value))
            function = cgutils.get_or_insert_function(
                builder.module,
                ir.FunctionType(ir.VoidType(), [pointer.type for pointer in pointers]),
                symbols[number],
            )
            builder.call(function, pointers)
            written = builder.load(written)
            return builder.sext(written, ir.IntType(64)) if INT_BITS < 64 else written

        kinds = [t if isinstance(t, types.Array) else types.intp for t in arguments]
        return types.intp(types.Tuple(kinds)), codegen

    return call


# characters' codes, and the routines
_L, _U, _R, _N, _T, _C, _S = map(ord, "LURNTCS")
_herk = _fortran("ssyrk dsyrk cherk zherk", "cciipaizai")
_potrf = _fortran("spotrf dpotrf cpotrf zpotrf", "ciai-")
_potrs = _fortran("spotrs dpotrs cpotrs zpotrs", "ciiaiai-")
_trsm = _fortran("strsm dtrsm ctrsm ztrsm", "ccccii1aiai")
_trsv = _fortran("strsv dtrsv ctrsv ztrsv", "ccciaias")
_getrf = _fortran("sgetrf dgetrf cgetrf zgetrf", "iiaia-")
_getrs = _fortran("sgetrs dgetrs cgetrs zgetrs", "ciiaiaai-")
_geqp3 = _fortran("sgeqp3 dgeqp3 cgeqp3 zgeqp3", "iiaiaaair-")
_orgqr = _fortran("sorgqr dorgqr cungqr zungqr", "iiiaiaai-")
_gesdd = _fortran("sgesdd dgesdd cgesdd zgesdd", "ciiaiaaiaiaira-")


@inlined
def gram(m, n, a, lda, c, ldc):
    """The upper triangle of C (n, n) = A^H A, A (m, n)."""
    _herk((_L, _N, n, m, a, lda, c, ldc))


@inlined
def potrf(n, a, lda, by_rows=False):
    """R in place of the upper triangle of A = R^H R; or L, if `by_rows`, in place of the lower one
    of A = L L^H; 0, or the order of a minor that is not positive."""
    return _potrf((_U if by_rows else _L, n, a, lda))


@inlined
def potrs(n, columns, r, ldr, b, ldb):
    """Each row of B (columns, n) becomes the x with A^T x = b, A = R^H R as from potrf."""
    _potrs((_L, n, columns, r, ldr, b, ldb))


@inlined
def trsm(m, n, r, ldr, b, ldb, right, adjoint):
    """B (m, n) becomes R^-1 B, or R^-H B if `adjoint`, or B R^-1 if `right`; R is upper
    triangular."""
    _trsm((_L if right else _R, _L, _C if adjoint else _N, _N, n, m, r, ldr, b, ldb))


@inlined
def trsv(n, r, ldr, x):
    """The vector x becomes R^-1 x."""
    _trsv((_L, _T, _N, n, r, ldr, x))


@inlined
def getrf(n, a, lda, pivots):
    """P L U = A^T in its place, A as it is stored by rows."""
    return _getrf((n, n, a, lda, pivots))


@inlined
def getrs(n, columns, lu, ldlu, pivots, b, ldb):
    """Each row of B (columns, n) becomes the x with A^T x = b, P L U = A^T as from getrf."""
    _getrs((_N, n, columns, lu, ldlu, pivots, b, ldb))


@inlined
def geqp3(m, n, a, order, tau, work, size, rwork):
    """A P = Q R of A stored by columns (n, m), in its place; order counts from 1, zeros before."""
    return _geqp3((m, n, a, m, order, tau, work, size, rwork))


@inlined
def orgqr(m, n, a, tau, work, size):
    """The first n columns of Q, stored by columns (n, m), from what geqp3 left there."""
    return _orgqr((m, n, n, a, m, tau, work, size))


@inlined
def gesdd(m, n, a, sigma, u, vh, work, size, rwork, iwork):
    """A (m, n) = U diag(sigma) V^H, U (m, q), V^H (q, n), q = min(m, n), sigma real; A is lost;
    `size` -1 asks for that of `work`."""
    return _gesdd((_S, n, m, a, n, sigma, vh, n, u, min(m, n), work, size, rwork, iwork))


# --- for factors made of panels, by columns: array (columns, rows) ----------------------------

_laswp = _fortran("slaswp dlaswp claswp zlaswp", "iaisias")
_unit_trsm = _fortran("strsm dtrsm ctrsm ztrsm", "ccccii1aiai")
_less_gemm = _fortran("sgemm dgemm cgemm zgemm", "cciiimaiai1ai")
_geqrt = _fortran("sgeqrt dgeqrt cgeqrt zgeqrt", "iiiaiaia-")
_gemqrt = _fortran("sgemqrt dgemqrt cgemqrt zgemqrt", "cciiiiaiaiaia-")


@inlined
def getrf_panel(m, n, a, lda, pivots):
    """P L U = A (m, n), stored by columns (n, m), in its place."""
    return _getrf((m, n, a, lda, pivots))


@inlined
def laswp(n, a, lda, count, pivots):
    """The first `count` rows of A, stored by columns (n, m), change places with those that the
    pivots name, as from getrf."""
    _laswp((n, a, lda, count, pivots))


@inlined
def eliminate(m, n, k, panel, a, lda):
    """A (m, n), stored by columns, of which a panel's L (m, k) takes the first k unknowns: the
    first k rows become U = L1^-1 A1, L1 the panel's first k rows with 1 on the diagonal, the others
    A2 - L2 U. `panel` and `a` have as many axes as they are stored in."""
    _unit_trsm((_L, _L, _N, _U, k, n, panel, lda, a, lda))
    _less_gemm((_N, _N, m - k, n, k, panel[:, k:], lda, a, lda, a[:, k:], lda))


@inlined
def geqrt(m, n, a, lda, t, ldt, work):
    """Reflections I - V T V^H that leave R of A (m, n), stored by columns: V below R in its place,
    T by columns; work: n * n."""
    _geqrt((m, n, n, a, lda, t, ldt, work))


@inlined
def gemqrt(m, n, k, v, ldv, t, ldt, c, ldc, work, adjoint):
    """C (m, n), stored by columns, becomes (I - V T V^H) C, or its adjoint's product, of the k
    reflections of a panel; `adjoint`: the code of N, or of T or C; work: n * k."""
    _gemqrt((_L, adjoint, m, n, k, k, v, ldv, t, ldt, c, ldc, work))


# --- for Cholesky's factor by tiles ---------------------------------------------------------

_multiply = _fortran("sgemm dgemm cgemm zgemm", "cciii1aiai0ai")
_subtract_herk = _fortran("ssyrk dsyrk cherk zherk", "cciinaipai")


@inlined
def subtract(m, n, k, a, lda, b, ldb, c, ldc, b_adjoint):
    """C (m, n) -= A (m, k) B, or A B^H if `b_adjoint`."""
    _less_gemm((_C if b_adjoint else _N, _N, n, m, k, b, ldb, a, lda, c, ldc))


@inlined
def multiply_adjoint(m, n, k, a, lda, b, ldb, c, ldc):
    """C (m, n) = A (m, k) B^H."""
    _multiply((_C, _N, n, m, k, b, ldb, a, lda, c, ldc))


@inlined
def subtract_gram(n, k, a, lda, c, ldc):
    """Of C (n, n) -= A A^H, A (n, k), the lower triangle."""
    _subtract_herk((_U, _C, n, k, a, lda, c, ldc))


@inlined
def trsm_lower(m, n, l, ldl, b, ldb, adjoint):
    """B (m, n) becomes B L^-1, or B L^-H if `adjoint`; L is lower triangular."""
    _trsm((_L, _U, _C if adjoint else _N, _N, n, m, l, ldl, b, ldb))


@inlined
def trsv_lower(n, l, ldl, x, adjoint):
    """The row x becomes x L^-1, or x L^-H if `adjoint`."""
    _trsv((_U, _C if adjoint else _N, _N, n, l, ldl, x))
