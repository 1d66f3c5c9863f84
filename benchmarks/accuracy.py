"""Errors in single precision against the number of rows, the table of docs/accuracy.md.

python benchmarks/accuracy.py                     prints it
python benchmarks/accuracy.py docs/accuracy.md    puts it between the marks there
"""

import sys

import numpy as np
import scipy.linalg
import scipy.special
from marked import put

import hotloops as hl

BACKENDS = ("cython", "numba", "numpy")
SIZES = (10**3, 10**4, 10**5, 10**6, 10**7)
CENTRES = np.array([[0, 0, 0], [1, 0, 1], [0, 2, 1]], np.float32)
PARAMETERS = {"length_scale": [1, 2, 3], "variance": 2.0, "factors": [[0.5], [0.25], [1]]}
WRT = tuple(PARAMETERS)


def line(m, start):
    """The columns 1 and x, and b."""
    x = np.linspace(start, start + 1, m, dtype=np.float32)
    a = np.stack([np.ones_like(x), x], axis=1)
    return a, (1 + 3 * x + np.cos(np.arange(m))).astype(np.float32)


def samples(m):
    """Three correlated columns, off the origin."""
    x = np.random.default_rng(m).normal(size=(m, 3)).astype(np.float32)
    return x @ np.array([[2, 1, 0], [0, 1, 1], [0, 0, 1]], np.float32) + np.float32(5)


def solved(a, b):
    return np.linalg.lstsq(a, b, rcond=None)[0]


def regression(x, b):
    """Coefficients and the intercept."""
    centred = x - x.mean(axis=0)
    coef = np.linalg.solve(centred.T @ centred, centred.T @ (b - b.mean()))
    return np.append(coef, b.mean() - x.mean(axis=0) @ coef)


def whitened(x):
    """Some rows, whitened by the covariance of all."""
    variances, v = np.linalg.eigh(np.cov(x.T))
    return (x[:100] - x.mean(axis=0)) @ (v / np.sqrt(variances)) @ v.T


def slopes(x):
    """Of the sum of the kernel's entries, by its parameters."""
    ell, variance, p = map(np.asarray, PARAMETERS.values())
    difference = x[:, None] - CENTRES.astype(np.float64)
    projected = difference @ p
    k = np.exp(-((difference / ell) ** 2).sum(axis=2) / 2 - (projected**2).sum(axis=2) / 2)
    return np.concatenate([
        variance * np.einsum("ij,ijd->d", k, difference**2) / ell**3,
        [k.sum()],
        -variance * np.einsum("ij,ijd,ijr->dr", k, difference, projected).ravel(),
    ])  # fmt: skip


def gradients(x, backend):
    cotangent = np.ones((len(x), len(CENTRES)), np.float32)
    found = hl.ard_kernel_vjp(cotangent, x, CENTRES, **parameters(), wrt=WRT, backend=backend)
    return np.concatenate([np.ravel(found[name]) for name in WRT])


def parameters():
    return PARAMETERS | {"factors": np.array(PARAMETERS["factors"], np.float32)}


def factored(method):
    return lambda a, b, backend: hl.LeastSquares(a, method=method, backend=backend).solve(b)


def line_through(x, b, backend):
    with hl.set_backend(backend):
        coef, intercept = hl.linalg.linear_regression(x, b)
    return np.append(coef, intercept)


def cases(m):
    """(name, what is computed in single precision, in double, and of what)."""
    for start, condition in ((1.48, 17), (9.99, 385)):
        data = line(m, start)
        for method in ("qr", "svd", "normal"):
            yield (
                f'least squares, "{method}", condition {condition}',
                factored(method),
                solved,
                data,
            )
        scipys = lambda a, b, backend: scipy.linalg.lstsq(a, b)[0]  # noqa: E731
        yield f"SciPy's lstsq, condition {condition}", scipys, solved, data
    x = samples(m)
    b = x @ np.array([1, 2, 3], np.float32) + np.cos(np.arange(m)).astype(np.float32)
    linalg = hl.linalg
    yield "`linear_regression`", line_through, regression, (x, b)
    yield "`covariance`", lambda x, k: linalg.covariance(x, backend=k), lambda x: np.cov(x.T), (x,)
    yield (
        "`pca`, variances", lambda x, k: linalg.pca(x, 3).explained_variance_,
        lambda x: np.linalg.eigvalsh(np.cov(x.T))[::-1], (x,),
    )  # fmt: skip
    yield "`whiten`, rows", lambda x, k: linalg.whiten(x).transform(x[:100]), whitened, (x,)
    yield "`ard_kernel_vjp`", lambda x, k: gradients(x, k), slopes, (x - np.float32(5),)
    yield (
        "`softmax` of m entries", lambda x, k: linalg.softmax(x, backend=k), scipy.special.softmax,
        (x[:, 0].copy(),),
    )  # fmt: skip


def error(found, exact):
    """The largest, over the largest value."""
    return np.abs(found - exact).max() / np.abs(exact).max()


def errors(m):
    """{name: the largest error of the backends}."""
    table = {}
    for name, single, double, data in cases(m):
        exact = double(*(array.astype(np.float64) for array in data))
        table[name] = max(error(single(*data, backend), exact) for backend in BACKENDS)
    return table


def report():
    columns = [errors(m) for m in SIZES]
    return "\n".join([
        "| m | " + " | ".join(f"{m:,}".replace(",", " ") for m in SIZES) + " |",
        "|---|" + "---:|" * len(SIZES),
        *(
            f"| {name} | " + " | ".join(f"{column[name]:.1e}" for column in columns) + " |"
            for name in columns[0]
        ),
    ])  # fmt: skip


def main(target=None):
    put(report(), "errors", target)


if __name__ == "__main__":
    main(*sys.argv[1:])
