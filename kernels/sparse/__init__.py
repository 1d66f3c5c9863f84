"""Products of a dense tensor with a sparse matrix.

    out[r, j] = sum over the nonzeros p of column j of x[r, indices[p]] values[p]

The matrix is stored by columns (CSC): those of column j are starts[j] <= p < starts[j + 1]. A block
owns columns c0 to c1 of rows r0 to r1.

x lies anywhere: it is the memory from the tensor's first element to its last. The axes along which
the rows count are listed in `axes`, (3, d): their lengths, their strides in x, and their strides in
rows of out, (N, M). Row r has the index (i, j, …) of `np.unravel_index(r, axes[0])`; it starts at
x[origin + i axes[1, 0] + j axes[1, 1] + …], and its elements are `step` apart.

The four block functions differ in their arithmetic: `fill` is for real numbers; `fill_complex`, for
complex ones given as pairs of real ones, the unit of all strides in x; `fill_integer`, for unsigned
integers, which wrap (signed ones of the same width have the same bits); `fill_bool`, for 0 and 1 in
bytes, with "or" for the sum and "and" for the product.

Accuracy: a sum is taken in the order of the nonzeros, in the precision of the arrays.
"""
