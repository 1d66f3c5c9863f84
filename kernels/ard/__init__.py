"""ARD quadratic forms and the kernels built on them.

    q[i, j] = sum over f of (s[f] (x[i, f] - y[j, f]))^2,        k = variance · profile(q)

over features f: the D coordinates as given, scaled by s = 1 / length_scale; then, for a metric with
a part P Pᵀ, the columns of (x - c) P with s = 1, c a centre that both sets share.

Profiles: q itself; "se", exp(-q / 2); with a = sqrt(2ν q) Matérn's exp(-a) for ν = 1/2,
(1 + a) exp(-a) for 3/2, (1 + a + a²/3) exp(-a) for 5/2; "rq", (1 + q / 2α)^-α. The rounding of an
exponent is carried along, so that a profile is within a few ulps of that of q at any size.

`prepare` writes the features where there is a projection, `prepare_products` the scaled features
less a centre (`rows` of x, `columns` of y) and their norms, where there are many. `fill` writes k;
`apply` adds k @ v without k; `fill_diagonal` writes what a tile holds of the diagonal of k, as
`fill` would. Given rows and columns they take q from a matrix product, and anew from differences
wherever the rounding of that would be seen in k; a tile with many such pairs is made from
differences as a whole. `pull` adds up, for a cotangent c, what the derivatives of the sum of c k
are made of: by the scales but for 2 variance / s, by the variance, and by α but for the variance.
`pull_points` writes that by the features x, for c = straight + transposed^T, of which one may be
empty; `pull_features` makes of such a gradient by the features that by the points. Given rows and
columns both take their sums from two matrix products, W of the weights c p' and
Σ_j W_ij (x_i - y_j) = x_i Σ_j W_ij - (W y)_i; of pairs that `fill` would make anew, from
differences.

A tile's own numbers: `diagonal` is the offset of the matrix's diagonal in it, as NumPy counts
offsets: an element in the row a and the column b, counted from the tile's first ones, is on the
diagonal where b - a = diagonal, i0 - j0 of the bounds in the whole matrix. There x and y are one
set, and the noise is added. A square tile with diagonal 0 is exactly symmetric; NOWHERE is the
number of all tiles of two sets. With `mirror` a tile above the diagonal stands for its mirror image
too, which is written, or added, with it.

Shapes: x (N, F), y (M, F), scale (F,), output (N, M); rows and columns as x and y, or (0, 0); of
`prepare` and `pull_features` the points (N, D), centre (D,) and projection (D, R).

Accuracy: a difference is taken before it is scaled, so that its relative error is half an ulp at
any offset, and q's a few ulps; identical rows have q = 0 exactly; q is symmetric bit for bit. So
are q and Matérn 1/2, whose slope at 0 is infinite, where there are rows and columns. The other
covariances have then an error up to 4 ulps of k and 16 ulps of the variance, but for features that
are copies of each other: BLAS's rounding of a sum of equal terms grows with their number.
Source: Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), sections 4.2 and 5.1.
"""

import sys

BLOCKS = """
prepare           i   | x:id plain centre projection > features:if
prepare_products  i   | x:if scale centre > rows:if norms:i
fill              i j | x:if y:jf scale rows:if? row_norms:i? columns:jf? column_norms:j? profile alpha variance noise @diagonal @mirror > out:ij,ji
fill_diagonal     i j | x y scale rows? row_norms? columns? column_norms? profile alpha variance noise @diagonal > out
apply             i j | x:if y:jf scale rows:if? row_norms:i? columns:jf? column_norms:j? profile alpha variance v:jc,ic @mirror > +out:ic,jc
pull              i j | x:if y:jf scale rows:if? row_norms:i? columns:jf? column_norms:j? profile alpha cotangent:ij,ji @mirror > +sums
pull_points       i   | x:if y scale rows:if? row_norms:i? columns? column_norms? profile alpha variance straight:im? transposed:mi? > gradient:if
pull_features     i   | gradient:if plain projection > points:id
"""  # noqa: E501

#: The diagonal's offset in a tile that it does not meet, whatever the tile's size.
NOWHERE = sys.maxsize // 2

#: What a block makes of q.
QUADFORM, SE, MATERN12, MATERN32, MATERN52, RQ = range(6)

#: Columns whose features, or values, stay in the first cache.
STRIP = 512
#: Rows of a strip that stay in the second cache.
ROWS = 128
#: Features whose products take longer than all the rest.
MANY = 128
#: Points whose projections are one matrix product, some of them zeros: BLAS's rounding depends on
#: the sizes, and identical points must have identical features.
PROJECTED = 96
#: A pair is made anew from differences where an error of q as large as |x|² + |y|² would change a
#: covariance by more than this times its variance, and half as much for MANY features.
LATE = 4
#: Pairs of a tile that tell whether many of it would be made anew.
SAMPLE = 64
#: |x|² + |y|² up to which the differences of rows and columns, which are rounded, are as good as
#: those of x and y for covariances: they miss sqrt(q) by a few ulps of sqrt(|x|² + |y|²).
SMALL = 1024
