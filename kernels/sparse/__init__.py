"""Products of a dense tensor with a sparse matrix.

    out[r, j] = sum over the nonzeros p of column j of x[r, indices[p]] values[p]

The matrix is stored by columns (CSC): those of column j are starts[j] <= p < starts[j + 1]. A block
owns columns c0 to c1 of rows r0 to r1.

x lies anywhere: it is the memory from the tensor's first element to its last. The axes along which
the rows count are listed in `axes`, (3, d): their lengths, their strides in x, and their strides in
rows of out, (N, M). Row r has the index (i, j, …) of `np.unravel_index(r, axes[0])`; it starts at
x[origin + i axes[1, 0] + j axes[1, 1] + …], and its elements are `step` apart.

For few rows of x and a matrix in another order `scatter` owns all columns of rows r0 to r1 instead:

    out[r, indices[p]] += x[r, rows[g]] values[p],        starts[g] <= p < starts[g + 1]

for one group g of nonzeros after another, from 0 on. A matrix stored by rows (CSR) has a group for
each of them, a list of coordinates (COO) one for each nonzero.

The four functions of either name differ in their arithmetic: without a suffix they are for real
numbers; with `_complex`, for complex ones given as pairs of real ones, the unit of all strides in
x; `_integer`, for unsigned integers, which wrap (signed ones of the same width have the same bits);
`_bool`, for 0 and 1 in bytes, with "or" for the sum and "and" for the product.

Accuracy: a sum is taken in the order of the nonzeros, in the precision of the arrays; one of `fill`
and one of `scatter` in the same order have the same bits.
"""

BLOCKS = """
    fill             r c | axes x origin step values indices starts > out
    fill_complex     r c | axes x origin step values indices starts > out
    fill_integer     r c | axes x origin step values indices starts > out
    fill_bool        r c | axes x origin step values indices starts > out
    scatter          r   | axes x origin step rows values indices starts > out
    scatter_complex  r   | axes x origin step rows values indices starts > out
    scatter_integer  r   | axes x origin step rows values indices starts > out
    scatter_bool     r   | axes x origin step rows values indices starts > out
"""

#: Bytes of the numbers of a tile's rows, which lie side by side: LANES / itemsize rows.
LANES = 128
