import numpy as np
import scipy.linalg

from . import CHOLESKY, LU, QR, SVD


def _reciprocal(x):
    """The powers of two that take x > 0 to [½, 1)."""
    exponent = np.frexp(np.where(np.isfinite(x), x, 0))[1]
    return np.ldexp(1.0, -np.clip(exponent, -1020, 1020))


def prepare(k0, k1, a, root, alpha, out, scale):
    n = a.shape[2]
    with np.errstate(all="ignore"):
        for k in range(k0, k1):
            rows = a[k] * root[k, :, None] if root.size else a[k]
            if alpha > 0:
                rows = np.concatenate([rows, np.sqrt(alpha) * np.eye(n)])
            scale[k] = _reciprocal(np.abs(rows).max(axis=0).astype(float))
            norms = np.linalg.norm(rows * scale[k], axis=0)
            scale[k] *= np.minimum(_reciprocal(norms), 2.0**1020 / scale[k])
            out[k] = rows * scale[k]


def factor_lu(k0, k1, a, right, order, ratio):
    getrf = scipy.linalg.get_lapack_funcs("getrf", (a,))
    with np.errstate(all="ignore"):
        for k in range(k0, k1):
            lu, pivots, _ = getrf(a[k])
            right[k], order[k] = lu.T, pivots
            ratio[k] = _ratio(np.abs(lu.diagonal()), np.abs(a[k]).max(axis=0))


def _ratio(pivots, sizes):
    return np.divide(pivots, sizes, out=np.zeros(len(pivots)), where=pivots != 0).min()


def factor_cholesky(k0, k1, a, right, ratio):
    for k in range(k0, k1):
        try:
            right[k] = np.linalg.cholesky(np.triu(a[k]), upper=True)
        except np.linalg.LinAlgError:
            ratio[k] = 0
        else:
            ratio[k] = _ratio(np.abs(right[k].diagonal()) ** 2, a[k].diagonal().real)


def factor_normal(k0, k1, a, right, ratio):
    for k in range(k0, k1):
        product = a[k].conj().T @ a[k]
        factor_cholesky(0, 1, product[None], right[k : k + 1], ratio[k : k + 1])


def factor_qr(k0, k1, a, products, householder, left, right, order, ratio):
    with np.errstate(all="ignore"):
        for k in range(k0, k1):
            factors = (products and _cholesky_qr(a[k])) or (householder and _householder(a[k]))
            if not factors:
                ratio[k] = 0
                continue
            left[k], right[k], order[k] = factors
            pivots = np.abs(right[k].diagonal())
            ratio[k] = _ratio(pivots, pivots.max(keepdims=True))


def _cholesky_qr(a):
    """Q, R and the order of the columns; None where these are too near to dependence."""
    product = a.conj().T @ a
    try:
        r = np.linalg.cholesky(product, upper=True)
        shares = np.abs(r.diagonal()) ** 2 / product.diagonal().real
        if not shares.min() > np.finfo(a.dtype).eps ** 0.5:
            return None
        q = _triangular(r, a.conj().T, trans="C").conj().T
        product = q.conj().T @ q
        if not np.abs(product - np.eye(len(r))).max() < 0.01:
            return None
        again = np.linalg.cholesky(product, upper=True)
    except np.linalg.LinAlgError:
        return None
    return _triangular(again, q.conj().T, trans="C").conj().T, again @ r, np.arange(len(r))


def _householder(a):
    exponent = np.frexp(np.abs(a).max(axis=1))[1]
    rows = np.argsort((exponent.max() - exponent) // 4, kind="stable")  # the largest first
    q, r, order = scipy.linalg.qr(a[rows], mode="economic", pivoting=True, check_finite=False)
    return q[rows.argsort()], r, order


def factor_svd(k0, k1, a, left, sigma, right):
    for k in range(k0, k1):
        try:
            left[k], sigma[k], right[k] = np.linalg.svd(a[k], full_matrices=False)
        except np.linalg.LinAlgError:
            sigma[k] = np.nan


def solve(k0, k1, c0, c1, kind, left, right, order, scale, b, h, x):
    columns = slice(c0, c1)
    with np.errstate(all="ignore"):
        for k in range(k0, k1):
            y = left[k].T @ b[k, :, columns] if left.size else b[k, :, columns]
            r, s = right[k], scale[k, :, None].astype(right.real.dtype)
            if kind == SVD:
                if h.size:
                    y = y + r.conj() @ h[k, :, columns]
                x[k, :, columns] = s * (r.T @ y)
            elif kind == LU:
                getrs = scipy.linalg.get_lapack_funcs("getrs", (r,))
                x[k, :, columns] = getrs(r.T, order[k], y)[0]
            elif kind == CHOLESKY:
                if h.size:
                    y = y + h[k, :, columns]
                x[k, :, columns] = s * _triangular(r, _triangular(r, y, trans="C"))
            elif kind == QR:
                if h.size:
                    y = y + _triangular(r, h[k, order[k], columns], trans="C")
                x[k, order[k], columns] = s[order[k]] * _triangular(r, y)


def _triangular(r, y, **options):
    return scipy.linalg.solve_triangular(r, y, check_finite=False, **options)


def _leading(x):
    """x with 26 bits: a product of two is exact."""
    scaled = x * (2.0**27 + 1)
    return scaled - (scaled - x)


class _Twofold:
    """Real numbers in two parts: the sum so far, and what its roundings left."""

    def __init__(self, head):
        self.head = np.array(head, np.float64)
        self.rest = np.zeros_like(self.head)

    def add(self, x):
        """Knuth's sum."""
        total = self.head + x
        part = total - self.head
        self.rest += (self.head - (total - part)) + (x - part)
        self.head = total

    def add_product(self, x, y):
        """Dekker's product."""
        x1, y1 = _leading(x), _leading(y)
        x2, y2 = x - x1, y - y1
        product = x * y
        self.rest += x2 * y2 - (((product - x1 * y1) - x2 * y1) - x1 * y2)
        self.add(product)

    def value(self):
        return self.head + self.rest


class _TwofoldComplex:
    def __init__(self, z):
        self.re, self.im = _Twofold(z.real), _Twofold(z.imag)

    def add(self, z):
        self.re.add(z.real)
        self.im.add(z.imag)

    def add_product(self, y, z):
        self.re.add_product(y.real, z.real)
        self.re.add_product(-y.imag, z.imag)
        self.im.add_product(y.real, z.imag)
        self.im.add_product(y.imag, z.real)

    def value(self):
        return self.re.value() + 1j * self.im.value()


def left_out(s0, s1, gap, limit, y, u, squares, beyond, rest, errors):
    with np.errstate(all="ignore"):
        for shares, rows in ((gap[s0:s1], beyond > 0), (limit[s0:s1], beyond == 0)):
            left = (shares[:, None] * y) @ u[rows].T + rest[:, rows]
            share = shares @ squares[rows].T + beyond[rows]
            errors[s0:s1, :, rows] = left / share[:, None]


def residual(k0, k1, c0, c1, a, weights, alpha, scale, b, x, r, f, h):
    """f = b − r − A x and h = S (Aᴴ W r − alpha x)."""
    twofold = _TwofoldComplex if np.iscomplexobj(a) else _Twofold
    wide = np.complex128 if np.iscomplexobj(a) else np.float64
    columns = slice(c0, c1)
    with np.errstate(all="ignore"):
        for k in range(k0, k1):
            matrix, solution = a[k].astype(wide), x[k, :, columns].astype(wide)
            sums = twofold(b[k, :, columns])
            sums.add(-r[k, :, columns].astype(wide))
            for row, column in zip(solution, matrix.T, strict=True):
                sums.add_product(-column[:, None], row)
            f[k, :, columns] = sums.value()
            if not h.size:
                continue
            sums = twofold(np.zeros(solution.shape, wide))
            sums.add_product((-alpha * scale[k, :, None]).astype(wide), solution)
            for i, row in enumerate(r[k, :, columns].astype(wide)):
                weighted = twofold(np.zeros(row.shape, wide))
                weighted.add_product(wide(weights[k, i] if weights.size else 1), row)
                column = (scale[k] * matrix[i].conj())[:, None]
                if wide is np.complex128:
                    head = weighted.re.head + 1j * weighted.im.head
                    rest = weighted.re.rest + 1j * weighted.im.rest
                else:
                    head, rest = weighted.head, weighted.rest
                sums.add_product(column, head)
                sums.add(column * rest)
            h[k, :, columns] = sums.value()
