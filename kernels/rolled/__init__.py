"""Products of each matrix of one list with a run of matrices of another, round a ring.

    out[i k + j] = a[i] @ b[(i + j) mod d],        0 <= i < d, 0 <= j < k

Shapes: a (d, m, n), b (d, n, l), out (d k, m, l); a block owns rows r0 to r1 of the products p0 to
p1. b is read where it lies: no copy of it is unrolled. The block functions differ in their
arithmetic: `fill` is for real and complex numbers; `fill_integer`, for unsigned integers, which
wrap (signed ones of the same width have the same bits); `fill_exact`, for integers as float64, of
which no sum reaches 2^51 and which out, seen as int64, holds as integers in the end; `fill_bool`,
for 0 and 1 in bytes, with "or" for the sum and "and" for the product.

Accuracy: each element is a sum of n products in the precision of the arrays, taken in order where
the sums stay in registers, and as BLAS takes it for larger matrices of real or complex numbers.
"""

BLOCKS = """
    fill          p r | a:drn b k > out:qrl
    fill_exact    p r | a:drn b k > out:qrl
    fill_integer  p r | a:drn b k > out:qrl
    fill_bool     p r | a:drn b k > out:qrl
"""

#: Rows and columns up to which matrices of real, and of complex numbers are multiplied in
#: registers; above, BLAS is as fast.
SMALL, SMALL_COMPLEX = 16, 32

#: What no sum of `fill_exact` reaches: 3 LIMIT plus an integer below it has the integer in the low
#: bits of a float64.
LIMIT = 2**51

#: Numbers that are still in the first cache when they are read again.
CACHED = 2048
