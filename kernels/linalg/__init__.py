"""Row operations of linear algebra, each in one visit to its rows.

`softmax`           p[j] = exp(x[j] - max x) / sum of the same, of each row of x (n, m)
`softmax_across`    the same along the middle axis of x (a, m, n), of columns j0 to j1
`normalize_rows`    x / |x| of each row of x (n, m), and 0 for 0
`scatter`           S += sum over i of (x[i] - m)(x[i] - m)^T, m the mean of a tile, for the tiles
                    start to stop: TILE rows of x (n, d) each. S (d, d) is written on and below the
                    diagonal; means[t] = m - x[0], of which the caller makes the scatter between
                    the tiles
`covariances`       the whole of it, times `factor`, for the items start to stop of x (items, n, d)
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

#: Rows of a tile of which a scatter is made.
TILE = 256

#: Rows that go through the layers together: OpenBLAS is slower with fewer.
ROWS = 768

#: What a layer makes of its sums.
IDENTITY, RELU, TANH, SIGMOID, SOFTMAX = range(5)
