"""Many small systems of linear equations.

    A_s x_s = b_s,        0 <= s < S

Shapes: a (S, n, n), b and x (S, n, c), failed (S,) of bytes; a block owns the systems s0 to s1.
They are eliminated with row exchanges, A = P L U, and have failed where a pivot is exactly 0; or,
if `positive`, by Cholesky decomposition of the lower triangle, the one part of A that is read, and
have failed where A is not positive definite. A system sets its byte of `failed` to 1 or 0, and x
to NaN where it failed, and where the part of A that is read is not finite, which is no failure.

`side_by_side` takes small systems in groups, one in each lane of the vectors: a step of the
elimination is the same for all of them, but for the rows that are exchanged. Each lane has the same
arithmetic, so that the x of a system does not depend on its place. There a, b and x have a last
axis more, the parts of a number: 1, or 2 of a complex one. `one_by_one` calls LAPACK.

Accuracy: x solves a system whose A differs from the one given by about n eps times the largest
number of the elimination, the measure that is LAPACK's too.
Source: N. J. Higham, Accuracy and Stability of Numerical Algorithms (2nd ed., 2002), chapters 9
and 10.
"""

BLOCKS = """
    side_by_side  s | a:snnp b:sncp positive > x:sncp failed:s
    one_by_one    s | a:snn b:snc positive > x:snc failed:s
"""

#: Systems of which a block has a multiple: what fills the lanes of every version.
GROUP = 32

#: Numbers of b that LAPACK is given at a time: it starts no threads for them.
PIECE = 32768
