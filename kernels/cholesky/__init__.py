"""Cholesky's factor by tiles, and what follows from it.

    A = L Lᴴ,    L lower triangular, in the place of A's lower triangle, the one part that is read

The factor takes panels of columns from the left. Of a panel j, the tile i of its rows is

    L[i, j] = (A[i, j] - sum over k < j of L[i, k] L[j, k]ᴴ) L[j, j]⁻ᴴ

of which `update` takes some terms of the sum, and `factor`, on the diagonal, and `column`, below
it, the last ones, and the rest. `share` (n,) begins as A's diagonal and becomes what share of each
element the elimination leaves, l² / a: 0 from the first row on where nothing positive is left.

Solutions have the right-hand sides in rows, conjugated: `solve` makes B L⁻ᴴ or B L⁻¹ of B (p, n),
the one after the other takes bᴴ to (A⁻¹ b)ᴴ. `invert` writes rows of V = L⁻ᴴ, which is upper
triangular, from the diagonal on: each of them is a solution of its own. `product` makes of them

    scale V Vᴴ + x yᴴ,        A⁻¹ = V Vᴴ

as is wanted of the inverse of a covariance; x and y (n, t) may be empty. A tile takes the terms
from `start` on, its first column; it writes its mirror image too, or is one of the diagonal.

Each block is one thread's; BLAS multiplies and solves. Source: Higham, Accuracy and Stability of
Numerical Algorithms (2nd ed., 2002), chapter 10.
"""

BLOCKS = """
update   i j k | left:ik right:jk > ~a:ij
factor   j k   | left:jk > ~a:jj ~share:j
column   i j k | left:ik right:jk corner:jj > ~a:ij
solve    i     | lower adjoint > ~b:in
invert   i     | lower @place > v:in
product  i j   | left:ik right:jk x:it? y:jt? scale @start @mirror > out:ij,ji
"""

#: Columns that triangular solutions take at once: products do the rest.
PANEL = 128
