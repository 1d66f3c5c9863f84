"""ARD quadratic forms and the kernels built on them.

    q[i, j] = sum over f of (s[f] (x[f, i] - y[f, j]))^2,        k = variance · profile(q)

over features f: the D coordinates as given, scaled by s = 1 / length_scale; then, for a metric with
a part P Pᵀ, the columns of (x - c) P, c a centre that both sets share. s = 1 beyond its length.

Profiles: q itself; "se", exp(-q / 2); with a = sqrt(2ν q) Matérn's exp(-a) for ν = 1/2,
(1 + a) exp(-a) for 3/2, (1 + a + a²/3) exp(-a) for 5/2; "rq", (1 + q / 2α)^-α. The rounding of an
exponent is carried along, so that a profile is within a few ulps of that of q at any size.

`fill` writes k; with `symmetric`, x and y are one set, a block computes its own tile and mirrors
it, and `noise` is added on the diagonal. `fill_products` writes the same for many features: q from
norms and a matrix product, and anew from differences wherever that cancels. `apply` writes k @ v
without k. `pull` writes the derivative of the sum of cotangent · k with respect to the features x.

Shapes: features (F, ≥ N) and (F, ≥ M), scale (≤ F,), output (N, M); the features are padded to a
multiple of 64 points, of which kernels compute, and drop, some.

Accuracy: a difference is taken before it is scaled, so that its relative error is half an ulp at
any offset, and q's a few ulps; identical rows have q = 0 exactly; q is symmetric bit for bit.
Source: Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), sections 4.2 and 5.1.
"""

#: What a block makes of q.
QUADFORM, SE, MATERN12, MATERN32, MATERN52, RQ = range(6)
