"""ARD quadratic forms and the kernels built on them.

    q[i, j] = sum over f of (s[f] (x[i, f] - y[j, f]))^2,        k = variance · profile(q)

over features f: the D coordinates as given, scaled by s = 1 / length_scale; then, for a metric with
a part P Pᵀ, the columns of (x - c) P with s = 1, c a centre that both sets share.

Profiles: q itself; "se", exp(-q / 2); with a = sqrt(2ν q) Matérn's exp(-a) for ν = 1/2,
(1 + a) exp(-a) for 3/2, (1 + a + a²/3) exp(-a) for 5/2; "rq", (1 + q / 2α)^-α. The rounding of an
exponent is carried along, so that a profile is within a few ulps of that of q at any size.

`prepare` writes the features where there is a projection, `prepare_products` the scaled features
less a centre (`rows` of x, `columns` of y) and their norms, where there are many. `fill` writes k;
with `symmetric`, x and y are one set, a block computes its own tile and mirrors it, and `noise` is
added on the diagonal. `apply` adds k @ v without k. Given rows and columns both take q from a
matrix product, and anew from differences wherever that cancels. `pull` adds up, for a cotangent c,
what the derivatives of the sum of c k are made of: by the scales but for 2 variance / s, by the
variance, and by α but for the variance. `pull_points` writes that by the features x.

Shapes: x (N, F), y (M, F), scale (F,), output (N, M); rows and columns as x and y, or (0, 0).

Accuracy: a difference is taken before it is scaled, so that its relative error is half an ulp at
any offset, and q's a few ulps; identical rows have q = 0 exactly; q is symmetric bit for bit.
Source: Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), sections 4.2 and 5.1.
"""

#: What a block makes of q.
QUADFORM, SE, MATERN12, MATERN32, MATERN52, RQ = range(6)
