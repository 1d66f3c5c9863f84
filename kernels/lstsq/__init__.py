"""Least squares: factor a matrix once, solve for many right-hand sides.

    minimise over x:  sum_i w_i |b_i - a_i x|² + alpha |x|²,        A (m, n) with the rows a_i

`prepare` makes the matrix that "normal", "qr" and "svd" factor: B, the rows sqrt(w_i) a_i over
sqrt(alpha) I if alpha > 0, times a diagonal S of powers of two that gives each column a norm in
[½, 1): a scaling without rounding. The factors, for each matrix of a batch:

    lu         P L U = A                           right = L and U, by columns; order: the row
                                                   that each row changed with, one by one
    cholesky   Rᴴ R = A                            right = R
    normal     Rᴴ R = (B S)ᴴ (B S)                 right = R
    qr         Q R = B S P                         left = Q, right = R
    svd        U Σ Vᴴ = B S                        left = U, right = (V Σ⁻¹)ᵀ

By them `solve` takes b to x, from one y:

    y = leftᵀ b, the rows of left = conj(Q), conj(U) or conj(B S) times sqrt(w_i); without left: b

    lu                  x = U⁻¹ L⁻¹ Pᵀ y
    cholesky, normal    x = S R⁻¹ R⁻ᴴ (y + h)
    qr                  x = S P R⁻¹ (y + R⁻ᴴ Pᵀ h)
    svd                 x = S rightᵀ (y + conj(right) h)

where of dependent columns S is one number, and right what takes y to the x of least norm.

h, if there is one, is a gradient besides AᴴW b: x = (AᴴWA + alpha I)⁻¹ (AᴴW b + S⁻¹ h). That is
what refinement needs (Björck 1967): with residuals r of x from before,

    f = b - r - A x,   h = S (Aᴴ W r - alpha x),   then x += (AᴴWA + alpha I)⁻¹ (AᴴW f + S⁻¹ h)

`left_out` makes of one matrix the errors b_i − a_i x, x that of all rows but i, for several
penalties at once. With sqrt(W) A = U Σ Vᴴ, y = (Uᴴ b)ᵀ (p, q) and rest = b − U Uᴴ b (p, m),

    errors[s, c, i] = (sum over j of share_j u_ij y_cj + rest_ci) / (sum over j of share_j |u_ij|²
                      + beyond_i),                                  beyond_i = 1 − the row's |u_i|²

which are the residuals over 1 − h_ii: share_j, what the penalty takes of the j-th singular value's
part, is gap[s, j], and for a row without a part beyond U, where all may be 0, limit[s, j].

`residual` computes f and h in twice the working precision: sums of products whose rounding errors,
exact by a fused multiply-add or Dekker's product and by Knuth's sum, are added up besides.

"qr" is two passes of Cholesky's factor of B's inner products (CholeskyQR2, Yamamoto et al. 2015):
matrix products alone, and where the first leaves columns that are orthogonal within 0.01, as
accurate as Householder's. Where it does not, Householder's, with column pivoting and the rows
sorted by size, the largest first, where they are further apart than a factor of 16: each row's
error is in proportion to that row (Cox & Higham, Stability of Householder QR factorization for
weighted least squares problems, 1998), and so from the start without `products`. Without
`householder`, none: LAPACK's sums would be over too many rows, and ratio is 0.

Shapes: a (K, m, n), b (K, m, p), x (K, n, p), left (K, m, q), right (K, n, n), for "svd" (K, q, n);
root = sqrt(w) (K, m) or (K, 0), scale (K, n) and ratio (K) in double precision; no left and no h
are (K, 0, 0). A block is some matrices k0 to k1, for `solve` and `residual` some columns c0 to c1
of theirs. ratio compares the smallest pivot with its column: near eps the matrix is singular, from
sqrt(eps) it has full rank.
"""

BLOCKS = """
prepare          k | a:kmn root:km? alpha > out:krn scale:kn
factor_lu        k | a:kij > right:kij order:ki ratio:k
factor_cholesky  k | a:kij > right:kij ratio:k
factor_normal    k | a:kmn > right:kij ratio:k
factor_qr        k | a:kmn products householder > left:kmn right:kij order:kn ratio:k
factor_svd       k | a:kmn > left:kmq sigma:kq right:kqn
solve          k c | kind left:kmq? right:kqn order:kn scale:kn b:kmc h:knc? > x:knc
left_out         s | gap:sq limit:sq y:pq u:mq squares:mq beyond:m rest:pm > errors:spm
residual       k c | a:kmn weights:km? alpha scale:kn b:kmc x:knc r:kmc > f:kmc h:knc?
"""

LU, CHOLESKY, QR, SVD = range(4)
