import numpy as np

from . import MATERN12, MATERN32, MATERN52, QUADFORM, RQ, SE


def prepare(i0, i1, x, plain, centre, projection, features):
    """Write the features of points: first their `plain` coordinates, then their projection."""
    x = x[i0:i1]
    with np.errstate(all="ignore"):
        features[i0:i1, :plain] = x[:, :plain]
        # einsum adds in one order for every row: identical rows keep identical features
        features[i0:i1, plain:] = np.einsum("nd,dr->nr", x - centre, projection)


def prepare_products(i0, i1, x, scale, centre, rows, norms):
    """Write the scaled features less their centre into rows, and the sums of their squares."""
    with np.errstate(all="ignore"):
        rows[i0:i1] = scale * (x[i0:i1] - centre)
        norms[i0:i1] = (rows[i0:i1] ** 2).sum(axis=1)


def _quadform(x, y, scale):
    """The quadratic forms q of all pairs."""
    q = np.zeros((len(x), len(y)), x.dtype)
    for xf, yf, s in zip(x.T, y.T, scale, strict=True):
        q += (s * (xf[:, None] - yf)) ** 2
    return q


def _upper(x):
    """The first 26 bits of x."""
    return (x.view(np.int64) & -(2**27)).view(np.float64)


def _exact_product(x, y):
    """The product x y as a sum of two numbers."""
    product, a, b = x * y, _upper(x), _upper(y)
    return product, (a * b - product) + a * (y - b) + (x - a) * b + (x - a) * (y - b)


def _root(c, q):
    """The root of c q as a sum of two numbers, for c = 1, 3 or 5, with which (c - 1) q is exact."""
    q = np.minimum(q, 1e6)  # where the profiles are 0
    high = (c - 1) * q + q
    low = ((c - 1) * q - high) + q
    root = np.sqrt(high)
    square, rest = _exact_product(root, root)
    correction = (((high - square) - rest) + low) / (2 * root)
    return root, np.where(root > 0, correction, 0)


def _rational(alpha, q):
    """(1 + q/2α)^−α and its derivatives by q and by α, for q in double precision."""
    alpha = min(alpha, 2.0**600)  # where it is exp(−q/2), and its derivative by α 0
    b = 2 * alpha
    t = q / b
    if alpha < 0.5:  # t may overflow; an error of 1/s is made smaller by the power
        k = np.maximum(b / (b + q), 5e-324) ** alpha
    elif alpha < 2.0**50:  # s + low = 1 + t
        product, rest = _exact_product(t, np.full_like(t, b))
        s = 1 + t
        low = (1 - (s - (s - 1))) + (t - (s - 1)) + ((q - product) - rest) / b
        k = s**-alpha * np.exp(-alpha * low / s)
    else:  # α log(1 + q/2α) = q/2 − q²/8α + …
        most = np.minimum(q, 1e4)
        k = np.exp(most / -2) * (1 + most * most / (8 * alpha))
    k = np.where(np.isinf(q), 0, k)
    # log s − w = w²/2 + w³/3 + …, w = 1 − 1/s
    w = q / (b + q)
    log = np.where(np.isinf(t), np.log(q) - np.log(b), np.log1p(t))
    series = w * w * np.polynomial.polynomial.polyval(w, 1 / np.arange(2, 20))
    change = np.where(w < 0.1, series, log - w)
    return k, -k * (alpha / (b + q)), np.where(k == 0, 0, -k * change)


def _profile(profile, alpha, q):
    """The profile of q and its derivative, in double precision but for that of kind "se"."""
    if profile == QUADFORM:
        return q, np.ones_like(q)
    if profile == SE:
        k = np.exp(q / -2)
        return k, k / -2
    q = q.astype(np.float64)
    if profile == RQ:
        return _rational(alpha, q)[:2]
    root, low = _root({MATERN12: 1, MATERN32: 3, MATERN52: 5}[profile], q)
    half = np.exp(-root / 2)  # its square may be subnormal: nothing follows that
    if profile == MATERN12:
        k = half * (1 - low) * half
        return k, np.where(root > 0, k / (-2 * root), 0)
    if profile == MATERN32:
        return half * (1 - low) * (1 + root + low) * half, -1.5 * half * (1 - low) * half
    square = root * root / 3 + 2 * root * low / 3
    k = half * (1 - low) * (1 + root + low + square) * half
    return k, -5 / 6 * half * (1 - low) * (1 + root + low) * half


def _rows(i0, i1, columns):
    """The bounds of groups of rows whose temporaries stay in the cache."""
    step = max(1, 2**16 // columns)
    return ((a, min(a + step, i1)) for a in range(i0, i1, step))


def fill(i0, i1, j0, j1, x, y, scale, rows, row_norms, columns, column_norms, profile, alpha,
         variance, noise, diagonal, mirror, out):  # fmt: skip
    """Write a tile of k = variance · profile(q) with the noise on the diagonal, and its mirror."""
    tile = out[i0:i1, j0:j1]
    with np.errstate(all="ignore"):
        for a, b in _rows(i0, i1, j1 - j0):
            q = _quadform(x[a:b], y[j0:j1], scale)
            tile[a - i0 : b - i0] = variance * _profile(profile, alpha, q)[0]
        on = np.arange(max(0, -diagonal), min(i1 - i0, j1 - j0 - diagonal))
        tile[on, on + diagonal] += noise
    if mirror:
        out[j0:j1, i0:i1] = tile.T


def fill_diagonal(i0, i1, j0, j1, x, y, scale, rows, row_norms, columns, column_norms, profile,
                  alpha, variance, noise, diagonal, out):  # fmt: skip
    """Write the diagonal of k in a tile: the entries of each i in both i0:i1 and j0:j1."""
    tile = np.empty((i1 - i0, j1 - j0), out.dtype)
    fill(0, i1 - i0, 0, j1 - j0, x[i0:i1], y[j0:j1], scale, rows[i0:i1], row_norms[i0:i1],
         columns[j0:j1], column_norms[j0:j1], profile, alpha, variance, 0.0, diagonal, False,
         tile)  # fmt: skip
    a, b = max(i0, j0), min(i1, j1)
    out[a:b] = tile[a - i0 : b - i0, a - j0 : b - j0].diagonal()
    out[a:b] += noise


def apply(i0, i1, j0, j1, x, y, scale, rows, row_norms, columns, column_norms, profile, alpha,
          variance, v, mirror, out):  # fmt: skip
    """Add k[i0:i1, j0:j1] @ v[j0:j1] to out[i0:i1]; with `mirror` also that of the mirror image."""
    with np.errstate(all="ignore"):
        for a, b in _rows(i0, i1, j1 - j0):
            q = _quadform(x[a:b], y[j0:j1], scale)
            k = (variance * _profile(profile, alpha, q)[0]).astype(out.dtype)
            out[a:b] += k @ v[j0:j1]
            if mirror:
                out[j0:j1] += k.T @ v[a:b]


def pull(i0, i1, j0, j1, x, y, scale, rows, row_norms, columns, column_norms, profile, alpha,
         cotangent, mirror, sums):  # fmt: skip
    """Add to `sums` the sums over the tile of

    c p'(q) (s[f] (x[i, f] - y[j, f]))^2 for each f, c p, and c dp/dα for the rational quadratic,

    c the cotangent, of the tile and with `mirror` of its mirror image too.
    """
    with np.errstate(all="ignore"):
        for a, b in _rows(i0, i1, j1 - j0):
            c, q = cotangent[a:b, j0:j1], _quadform(x[a:b], y[j0:j1], scale)
            if mirror:
                c = c + cotangent[j0:j1, a:b].T
            p, slope = _profile(profile, alpha, q)
            for f, (xf, yf, s) in enumerate(zip(x[a:b].T, y[j0:j1].T, scale, strict=True)):
                d = s * (xf[:, None] - yf)
                sums[f] += (c * slope * d * d).sum(dtype=np.float64)
            sums[-2] += (c * p).sum(dtype=np.float64)
            if profile == RQ:
                sums[-1] += (c * _rational(alpha, q.astype(np.float64))[2]).sum()


def pull_points(i0, i1, x, y, scale, rows, row_norms, columns, column_norms, profile, alpha,
                variance, straight, transposed, gradient):  # fmt: skip
    """Write the gradient by the features of x,

    variance · sum over j of c[i, j] p'(q[i, j]) 2 s[f]^2 (x[i, f] - y[j, f]),

    c[i, j] = straight[i, j] + transposed[j, i], one of which may be empty.
    """
    with np.errstate(all="ignore"):
        for a, b in _rows(i0, i1, len(y)):
            c = straight[a:b] if straight.size else 0
            c = c + transposed[:, a:b].T if transposed.size else c
            slope = _profile(profile, alpha, _quadform(x[a:b], y, scale))[1]
            for f, (xf, yf, s) in enumerate(zip(x[a:b].T, y.T, scale, strict=True)):
                weighted = c * slope * (xf[:, None] - yf)
                gradient[a:b, f] = 2 * variance * s * (s * weighted.sum(axis=1, dtype=np.float64))


def pull_features(i0, i1, gradient, plain, projection, points):
    """Write the gradient by the points: that by the coordinates and that by projections · P^T."""
    by_features = gradient[i0:i1]
    with np.errstate(all="ignore"):
        last = by_features[:, plain : plain + projection.shape[1]]
        np.matmul(last, projection.T, out=points[i0:i1])
        points[i0:i1, :plain] += by_features[:, :plain]
