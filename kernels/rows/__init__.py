"""Matrices of many rows, taken a piece of rows at a time, and in double precision.

A sum of m rounded terms loses up to m eps, one of some thousands in pieces, or in twice the
precision, next to nothing. The blocks read rows in single or double precision, some thousand
numbers at a time, and compute in double precision:

    sums             total += sum_i ((a_i - l_1) - l_2) - ...          the rows l_k of less
    products         total += aᵀ b
    inner_products   the upper triangle of total += aᴴ a
    triangular       Q R = ((a - l_1) - l_2) - ... by Householder's reflections; R for factors[k0],
                     and Q if there is a place for it
    multiply         q becomes q factors[k0], rounded to its precision

`triangular` and `multiply` treat one piece, the rows i0 to i1, and the one matrix factors[k0] that
belongs to this piece; k1 is k0 + 1. Where the R of all pieces stand below one another, the R of
that tall matrix is the R of the whole, and the Q of a piece, times the rows of the tall matrix's Q
that belong to it, is its part of the Q of the whole (TSQR: Demmel, Grigori, Hoemmen & Langou,
*Communication-optimal parallel and sequential QR and LU factorizations*, SIAM J. Sci. Comput. 34
(2012) A206). A piece has at least as many rows as columns.

Shapes: a (m, n), b (m, p), q (m, n), or (0, n) where it is not wanted. What is in double precision
has a last axis of 1 for real numbers, of 2 for the parts of complex ones: total (n, c), (n, p, c)
or (n, n, c), less (l, n, c), factors (K, n, n, c).
"""

BLOCKS = """
sums            i   | a:in less? > +total
products        i   | a:in b:ip > +total
inner_products  i   | a:in > +total
triangular      i k | a:in less? > factors:kjnc q:in?
multiply        i k | factors:kjnc > ~q:in
"""
