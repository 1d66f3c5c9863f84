"""What the machine runs. The contract that every kernel keeps:

A kernel is a folder with the same block functions, under the same names and signatures, in
``_numpy.py`` (the reference), ``_numba.py`` and ``_cython.pyx``. A block function

* takes the bounds of its block first (start, stop for each axis of its grid), then the arrays of
  the whole problem: C-contiguous, aligned, in native byte order, of the dtype agreed on;
* writes every element of the output that its block owns, and no other. Blocks are disjoint, so
  their order and the thread that runs one cannot be seen in the result; a block of a symmetric
  problem owns its mirror image too;
* or, in a reduction, adds into the partial result that is its last argument;
* runs on one thread and does not hold the GIL while it computes (NumPy's own rules apply to the
  reference), checks nothing, and allocates nothing but scratch.

``prepare`` is such a function too: it fills what the other blocks read (a transposed copy, a
table). Which block runs where is decided in ``hotloops._blocks``, what a user may pass in the
subject's module. A kernel imports nothing from there.
"""
