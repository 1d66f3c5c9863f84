import math
import warnings

import numpy as np
from contenders import parametrize


def dense(X, A):
    matrix = A.toarray()
    return lambda: np.tensordot(X, matrix, axes=1)


def scipy_transposed(X, A):
    def run():
        rows = X.reshape(-1, X.shape[-1])
        return np.ascontiguousarray((A.T @ rows.T).T).reshape(*X.shape[:-1], A.shape[1])

    return run


def torch(X, A):
    import torch

    rows = torch.from_numpy(X.reshape(-1, X.shape[-1]))
    B = A.T.tocsr()
    parts = map(torch.from_numpy, (B.indptr, B.indices, B.data))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        matrix = torch.sparse_csr_tensor(*parts, size=B.shape, check_invariants=True)
    return lambda: (matrix @ rows.T).T.contiguous().numpy().reshape(*X.shape[:-1], A.shape[1])


def jax(X, A):
    import jax
    from jax.experimental import sparse

    jax.config.update("jax_enable_x64", True)
    if A.nnz > 0.015 * math.prod(A.shape):  # it takes a minute
        return None
    matrix = sparse.BCOO.from_scipy_sparse(A.tocoo())
    product = jax.jit(lambda x, a: x @ a)
    return lambda: np.asarray(product(X, matrix))


def pydata(X, A):
    import sparse

    matrix = sparse.GCXS.from_scipy_sparse(A)
    return lambda: sparse.tensordot(X, matrix, axes=1)


def mkl(X, A):
    from sparse_dot_mkl import dot_product_mkl

    rows, matrix = X.reshape(-1, X.shape[-1]), A.tocsr()
    return lambda: dot_product_mkl(rows, matrix).reshape(*X.shape[:-1], A.shape[1])


PEERS = {
    "NumPy, dense": ("numpy", dense),
    "SciPy, transposed": ("scipy", scipy_transposed),
    "torch": ("torch", torch),
    "jax": ("jax", jax),
    "pydata/sparse": ("sparse", pydata),
    "MKL": ("sparse_dot_mkl", mkl),
}


@parametrize("sparse", PEERS)
def test_sparse(contend, case, name, make):
    contend(case, name, make)
