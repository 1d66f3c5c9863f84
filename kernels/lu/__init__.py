"""LU factors of one matrix, made of panels of columns.

    P L U = A,        A (n, n)

Stored by columns, which the blocks eliminate in panels: lu (n, n) has the columns of A for its
rows, and in the end L below the diagonal and U above. Of a panel, the columns k0 to k1, `first` is
the place of k0 in A, where its diagonal begins.

    columns    lu = the columns j0 to j1 of A; of each the largest part of an element, NaN if one is
    panel      L and U of a panel, its rows exchanged; order: the row that each row changed with
    update     the columns j0 to j1 behind a panel: the same exchanges, U = L1⁻¹ A1, A2 - L2 U
    exchange   the exchanges of the panels behind, from row `first` on, in the L of columns before
    solve      x = U⁻¹ L⁻¹ Pᵀ b, of the columns c0 to c1

A panel's pivot is the largest element of its whole column that is left: the elimination is that of
LAPACK's getrf, but for the order of sums. It stops at no pivot of 0, which is then on the diagonal.

Source: J. Kurzak, P. Luszczek, M. Faverge & J. Dongarra, LU factorization with partial pivoting for
a multicore system with accelerators, IEEE Trans. Parallel Distrib. Syst. 24 (2013) 1613.
"""

BLOCKS = """
    columns   j   | a:ij > lu:ji largest:j
    panel     k   | @first > ~lu:ki order:k
    update    j k | panel:ki order:k @first > ~lu:ji
    exchange  j   | order @first > ~lu:ji
    solve     c   | lu order b:ic > x:ic
"""
