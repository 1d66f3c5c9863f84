"""ARD quadratic forms and the kernels built on them.

    q[i, j] = sum over f of (s[f] (x[i, f] - y[j, f]))^2,        k = variance · profile(q)

over features f: the D coordinates as given, scaled by s = 1 / length_scale; then, for a metric with
a part P Pᵀ, the columns of (x - c) P, c a centre that both sets share. s = 1 beyond its length.
Profiles: q itself; "se", exp(-q / 2). With `symmetric`, x and y are one set: a block computes its
own tile and mirrors it, and `noise` is added on the diagonal.

Shapes: features (F, ≥ N) and (F, ≥ M), scale (≤ F,), output (N, M); the features are padded to a
multiple of 64 points, of which kernels compute, and drop, some. A difference is taken before it is
scaled, so that its relative error is half an ulp at any offset, and q's a few ulps; identical rows
have q = 0 exactly; q is symmetric bit for bit.
Source: Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), eq. 5.1 and 5.2.
"""

#: What a block makes of q.
QUADFORM, SE = 0, 1
