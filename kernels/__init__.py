"""What the machine runs. The contract that every kernel keeps:

A kernel is a folder with the same block functions, under the same names and signatures, in
``_numpy.py`` (the reference), ``_numba.py`` and ``_cython.pyx``. A block function

* takes the bounds of its block first (start, stop for each axis of its grid), then the arrays of
  the whole problem: C-contiguous, aligned, in native byte order, of the dtype agreed on;
* writes every element of the output that its block owns, and no other. Blocks are disjoint, so
  their order and the thread that runs one cannot be seen in the result; a block of a symmetric
  problem owns its mirror image too;
* or, in a reduction, adds into a partial result;
* runs on one thread and does not hold the GIL while it computes (NumPy's own rules apply to the
  reference), checks nothing, and allocates nothing but scratch.

A preparation is such a function too: it fills what other blocks read (a transposed copy, a table).
Which block runs where is decided in ``hotloops._run``, what a user may pass in the subject's
module. A kernel imports nothing from there.

Each kernel lists its blocks in BLOCKS, a line each, from which follow their signature, what waits
for what, and how a problem can be cut. The notation is that of einsum, a letter is an axis:

    name  axes | inputs @numbers > outputs
    fill   i j | x:if y:jf scale variance @diagonal @mirror > out:ij,ji
    pull   i j | x:if y:jf scale cotangent:ij,ji @mirror > +sums

* `axes` are those that bounds cut: of the axes i j a block takes i0, i1, j0, j1, then the inputs,
  the numbers and the outputs in the order of the line.
* `x:if` is an array whose first axis is cut by i: the rows i0 to i1 of x are all that the block
  needs, and on those rows alone, with bounds from 0, it does the same. An argument without letters
  is handed over whole, and an axis whose letter no array has cannot be cut.
* `ij,ji`: of the array both the piece and its mirror image are touched.
* `rows:if?` may be empty. Where another array that a block reads is, its sums have no terms: the
  outputs are 0, and the block is not called.
* `@name` is a number that a tile has of its own, because it depends on the tile's place.
* Of the outputs, `~a` is read and written, `+sums` is a partial sum, over the axes that it lacks;
  any other is written where the block owns it.
"""
