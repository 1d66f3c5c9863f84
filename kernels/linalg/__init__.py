"""Row operations of linear algebra, each in one visit to its rows.

`root`              the square roots of the elements of q (n,), in their place
`softmax`           p[j] = exp(x[j] - max x) / sum of the same, of each row of x (n, m)
`softmax_across`    the same along the middle axis of x (a, m, n), of columns j0 to j1
`normalize_rows`    x / |x| of each row of x (n, m), and 0 for 0
`covariances`       C = sum over i of (x[i] - m)(x[i] - m)^T / freedom, m the mean of the rows, of
                    each item of x (items, n, d)
`scatter`           the same sum for the tiles t0 to t1 of x (n, d), TILE rows each with a mean of
                    its own, added to `total` (d, d) on and below the diagonal; means[t] = m - x[0]
`centre`            means[t] less the mean of all n rows, times the root of the number of rows of t
`join`              rows i0 to i1 of C on and below the diagonal, and their mirror image:
                    (total + sum over t of means[t] means[t]^T) / freedom
`forward`           rows of a[L], a[l+1] = f(a[l] W[l] + b[l]), a[0] = x (n, widths[0]); f is
                    `activation`, and `output_activation` in the last layer. `parameters` holds
                    W[0] (widths[0], widths[1]), b[0], W[1], … one after the other

Accuracy: softmax, tanh and the sigmoid within a few ulps, because the rounding of x - max x is
carried along; no square of normalize_rows overflows or vanishes; a scatter is a sum of deviations
from a mean nearby, corrected by what the mean's own rounding leaves, so that an offset of the data
costs nothing. Sums of rows longer than some thousands are those of the sums of their pieces.

A group, in the compiled versions, is 256 bytes of a row: four registers.
Source: Higham, Accuracy and Stability of Numerical Algorithms (2002), sections 1.9, 4.3 and 27.8;
Chan, Golub & LeVeque, The American Statistician 37 (1983) 242, for the scatter.
"""

BLOCKS = """
    root            i    | > ~q:i
    softmax         i    | x:im > out:im
    softmax_across  i j  | x:imj > out:imj
    normalize_rows  i    | x:im > out:im
    covariances     k    | x:knf freedom > out:kfg
    scatter         t    | x > means +total
    centre               | n > ~means
    join            i    | total means freedom > out
    forward         i    | x:im? parameters widths activation output_activation > out:in
"""

#: Rows of a tile of which a scatter is made: their deviations stay in the second cache.
TILE = 256

#: Columns of a scatter at a time: what lies above its diagonal is left out.
STRIPE = 64

#: Rows that go through the layers together: OpenBLAS is slower with fewer.
ROWS = 768

#: What a layer makes of its sums.
IDENTITY, RELU, TANH, SIGMOID, SOFTMAX = range(5)
