"""ARD quadratic forms and the kernels built on them.

    q[i, j] = sum over f of (s[f] (x[i, f] - y[j, f]))^2,        k = variance · profile(q)

over features f: the D coordinates as given, scaled by s = 1 / length_scale; then, for a metric with
a part P Pᵀ, the columns of (x - c) P with s = 1, c a centre that both sets share.

Profiles: q itself; "se", exp(-q / 2); with a = sqrt(2ν q) Matérn's exp(-a) for ν = 1/2,
(1 + a) exp(-a) for 3/2, (1 + a + a²/3) exp(-a) for 5/2; "rq", (1 + q / 2α)^-α. The rounding of an
exponent is carried along, so that a profile is within a few ulps of that of q at any size.

`fill` writes k; with `symmetric`, x and y are one set, a block computes its own tile and mirrors
it, and `noise` is added on the diagonal. `apply` adds k @ v without k. For many features both take
`rows` and `columns`, the scaled features of x and y less a centre, and their norms: q comes from a
matrix product, and anew from differences wherever that cancels. `pull` adds up the derivatives of
the sum of cotangent · k by the scales, the variance and α; `pull_points` writes those by x.

Shapes: x (N, F), y (M, F), scale (F,), output (N, M); rows and columns as x and y, or (0, 0).

Accuracy: a difference is taken before it is scaled, so that its relative error is half an ulp at
any offset, and q's a few ulps; identical rows have q = 0 exactly; q is symmetric bit for bit.
Source: Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), sections 4.2 and 5.1.
"""

#: What a block makes of q.
QUADFORM, SE, MATERN12, MATERN32, MATERN52, RQ = range(6)
