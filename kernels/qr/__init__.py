"""Orthogonal factors of one matrix of as many rows as columns, at least.

    Q R = A,        A and Q (m, n), R (n, n) upper triangular

By Householder's reflections, in panels of columns, k0 to k1, of which `first` is the place of k0 in
A. The blocks work on the columns of A, stored one after another: columns (n, m) has R in the end,
and below it the v of each panel's reflections, I - V T Vᴴ; T, by columns, is in the rows of t.

    columns     columns = the columns j0 to j1 of A
    panel       R, V and T of a panel
    update      the columns j0 to j1 behind a panel, by the adjoint of its reflections
    orthogonal  the columns j0 to j1 of Q and of R: `first` is the place of j0

By inner products (CholeskyQR2: Yamamoto, Nakatsukasa, Yanagisawa & Fukaya, Roundoff error analysis
of the CholeskyQR2 algorithm, ETNA 44 (2015) 306), in pieces of rows i0 to i1, where the columns are
independent enough: with Rᴴ R = Aᴴ A, and once more with that of Q,

    divide      Q = A R⁻¹; the upper triangle of product += Qᴴ Q
    correct     Q = Q R⁻¹

Source: R. Schreiber & C. Van Loan, A storage-efficient WY representation for products of
Householder transformations, SIAM J. Sci. Stat. Comput. 10 (1989) 53.
"""

BLOCKS = """
    columns     j   | a:ij > columns:ji
    panel       k   | @first > ~columns:ki t:kb
    update      j k | panel:ki t:kb @first > ~columns:ji
    orthogonal  j   | columns t @first > q:ij r:nj
    divide      i   | a:in r > q:in +product
    correct     i   | r > ~q:in
"""
