"""Cholesky's factor by tiles, and what follows from it.

    A = L Lᴴ,    L lower triangular, in the place of A's lower triangle, the one part that is read

The factor takes panels of columns from the left. Of a panel j, the tile i of its rows is

    L[i, j] = (A[i, j] - sum over k < j of L[i, k] L[j, k]ᴴ) L[j, j]⁻ᴴ

of which `update` takes some terms of the sum, and `factor`, on the diagonal, and `column`, below
it, the last ones, and the rest. `share` (n,) begins as A's diagonal and becomes what share of each
element the elimination leaves, l² / a: 0 from the first row on where nothing positive is left.

Solutions have the right-hand sides in rows, conjugated: `solve` makes B L⁻ᴴ or B L⁻¹ of B (p, n),
the one after the other takes bᴴ to (A⁻¹ b)ᴴ. In tiles `column` makes the one, with the rows of B in
place of those of A, and `back`, from the last panel on, the other.

The inverse is A⁻¹ = V Vᴴ, V = L⁻ᴴ, which is upper triangular. `corner` writes V[j, j], in the rows
of j of an array as wide as a panel, and above the diagonal

    V[i, j] = -(V[i, i] L[j, i]ᴴ + sum over k between i and j of V[i, k] L[j, k]ᴴ) V[j, j]

is what `invert` writes. `product` makes of it, and `square` of tiles on the diagonal,

    scale (V[i, j] V[j, j]ᴴ + sum over k > j of V[i, k] V[j, k]ᴴ) + weight xᵢᴴ xⱼ

in its place, x (t, n): the inverse of a covariance as its likelihood's gradient wants it. `square`
writes both triangles. `gram` makes V Vᴴ of any V (p, n); a tile writes its mirror image too, or is
one of the diagonal.

To multiply by V[j, j] is twice the work of solving with L[j, j], and takes half the time. It is
as accurate for the inverse (Du Croz & Higham, IMA J. Numer. Anal. 12 (1992) 1), but not for the
factor.

Each block is one thread's; BLAS multiplies and solves. Source: Higham, Accuracy and Stability of
Numerical Algorithms (2nd ed., 2002), chapter 10.
"""

BLOCKS = """
update   i j k | left:ik right:jk > ~a:ij
factor   j k   | left:jk > ~a:jj ~share:j
column   i j k | left:ik right:jk corner:jj > ~a:ij
solve    i     | lower adjoint > ~b:in
back     j k   | behind:tk lower:kj corner:jj > ~b:tj
corner   j     | lower:jj > v:jc
invert   i j k | start:ic first:ji left:ik right:jk corner:jc > v:ij
square   j k   | corner:jc right:jk x:tj scale weight > out:jj
product  i j k | corner:jc left:ik right:jk x:ti y:tj scale weight > ~out:ij
gram     i j   | left:in right:jn @mirror > out:ij,ji
"""

#: Columns that triangular solutions take at once: products do the rest.
PANEL = 128
