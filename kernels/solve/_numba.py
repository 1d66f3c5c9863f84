import numpy as np

from .._blas_numba import BLAS_INT, getrf, getrs, potrf, potrs
from .._jit_numba import inlined, jit
from . import GROUP, PIECE

LANES = GROUP
SIDE = 16  # of the squares in which a matrix is transposed, whose rows are in cache

# A number of the systems side by side is `parts` rows of LANES in a flat array: 1, or the real
# parts and then the imaginary ones. A row of a system has `width` numbers, n of A, then those of b,
# which become those of x.


@inlined
def _lane(x, w):
    # unsigned: a negative index would count from the end, and the test for that stops vector code
    return np.uintp(x + w)


@inlined
def _copy(array, start, other, to, count):
    for w in range(count):
        other[_lane(to, w)] = array[_lane(start, w)]


@inlined
def _less(lanes, parts, sign, x, y, z, rows, factors):
    # x -= y z, or y conj(z) for sign = -1; y is in `factors`
    if parts == 1:
        for w in range(lanes):
            rows[_lane(x, w)] -= factors[_lane(y, w)] * rows[_lane(z, w)]
        return
    for w in range(lanes):
        re, im = rows[_lane(z, w)], sign * rows[_lane(z, LANES + w)]
        u, v = factors[_lane(y, w)], factors[_lane(y, LANES + w)]
        rows[_lane(x, w)] = rows[_lane(x, w)] - u * re + v * im
        rows[_lane(x, LANES + w)] = rows[_lane(x, LANES + w)] - u * im - v * re


@inlined
def _over(lanes, parts, x, y, rows, quotient):
    # x / y; of complex numbers by the ratio of the smaller part of y to the larger one, so that
    # its square is not formed
    if parts == 1:
        for w in range(lanes):
            quotient[w] = rows[_lane(x, w)] / rows[_lane(y, w)]
        return
    for w in range(lanes):
        re, im = rows[_lane(y, w)], rows[_lane(y, LANES + w)]
        a, b = rows[_lane(x, w)], rows[_lane(x, LANES + w)]
        real = abs(re) >= abs(im)
        large, small = (re, im) if real else (im, re)
        first, second = (a, b) if real else (b, a)
        ratio = small / large
        size, turned = large + small * ratio, second - first * ratio
        quotient[_lane(0, w)] = (first + second * ratio) / size
        quotient[_lane(LANES, w)] = (turned if real else -turned) / size


@jit
def _exchange(lanes, parts, n, width, k, rows, largest, place):
    # row k and the pivot's, from column k on; the pivot is the column's largest number, in LAPACK's
    # measure |re| + |im|
    number = parts * LANES
    for w in range(lanes):
        largest[w], place[w] = -1, k
    for i in range(k, n):
        x = (i * width + k) * number
        for w in range(lanes):
            size = abs(rows[_lane(x, w)])
            if parts == 2:
                size += abs(rows[_lane(x, LANES + w)])
            larger = size > largest[w]
            largest[w] = size if larger else largest[w]
            place[w] = i if larger else place[w]
    for w in range(lanes):
        x, y = (k * width + k) * number, (place[w] * width + k) * number
        for j in range(0, (width - k) * number, LANES):
            other = rows[_lane(x + j, w)]
            rows[_lane(x + j, w)] = rows[_lane(y + j, w)]
            rows[_lane(y + j, w)] = other


@jit
def _general(lanes, parts, n, width, rows, failed, factor, largest, place):
    # A = P L U and x = U^-1 L^-1 P^T b; failed: 1 where a pivot is 0
    number = parts * LANES
    for k in range(n):
        _exchange(lanes, parts, n, width, k, rows, largest, place)
        above = k * width * number
        pivot = above + k * number
        for w in range(lanes):
            none = rows[_lane(pivot, w)] == 0
            if parts == 2:
                none = none and rows[_lane(pivot, LANES + w)] == 0
            failed[w] = 1 if none else failed[w]
        for i in range(k + 1, n):
            row = i * width * number
            _over(lanes, parts, row + k * number, pivot, rows, factor)
            for j in range((k + 1) * number, width * number, number):
                _less(lanes, parts, 1, row + j, 0, above + j, rows, factor)
    for k in range(n - 1, -1, -1):
        for j in range(n, width):
            x = (k * width + j) * number
            _over(lanes, parts, x, (k * width + k) * number, rows, factor)
            _copy(factor, 0, rows, x, number)
            for i in range(k):
                row = i * width
                _less(lanes, parts, 1, (row + j) * number, 0, (row + k) * number, rows, factor)


@jit
def _positive(lanes, parts, n, width, rows, failed, factor):
    # A = L D L^H from its lower triangle and x = L^-H D^-1 L^-1 b; failed: 1 where D is not
    # positive
    number = parts * LANES
    for k in range(n):
        above = k * width * number
        pivot = above + k * number
        for w in range(lanes):
            failed[w] = failed[w] if rows[_lane(pivot, w)] > 0 else 1
        # upwards: the column is needed as it was for the rows above
        for i in range(n - 1, k, -1):
            row = i * width * number
            x = row + k * number
            for part in range(0, number, LANES):
                for w in range(lanes):
                    factor[_lane(part, w)] = rows[_lane(x + part, w)] / rows[_lane(pivot, w)]
            for j in range(k + 1, i + 1):
                _less(lanes, parts, -1, row + j * number, 0, (j * width + k) * number, rows, factor)
            for j in range(n * number, width * number, number):
                _less(lanes, parts, 1, row + j, 0, above + j, rows, factor)
            _copy(factor, 0, rows, x, number)
        for j in range(above + n * number, above + width * number, LANES):
            for w in range(lanes):
                rows[_lane(j, w)] /= rows[_lane(pivot, w)]
    for k in range(n - 1, 0, -1):
        for j in range(n, width):
            x = (k * width + j) * number
            _copy(rows, x, factor, 0, number)
            for i in range(k):
                _less(
                    lanes,
                    parts,
                    -1,
                    (i * width + j) * number,
                    0,
                    (k * width + i) * number,
                    rows,
                    factor,
                )


@jit
def _load(lanes, count, start, row, stride, array, to, rows):
    # a row of each system from `array`, of which system s begins at s * stride
    for j in range(row):
        for w in range(lanes):
            rows[_lane(to + j * LANES, w)] = array[_lane(start + min(w, count - 1) * stride, j)]


@jit
def side_by_side(s0, s1, a, b, positive, x, failed):
    n, columns, parts = b.shape[1:]
    a, b, x = a.reshape(-1), b.reshape(-1), x.reshape(-1)
    # a number that the compiler does not know: it would write each lane out, and not see vectors
    lanes = min(LANES, LANES * len(a))
    width, number = n + columns, parts * LANES
    rows, factor = np.empty(n * width * number, a.dtype), np.empty(number, a.dtype)
    largest, place = np.empty(LANES, a.dtype), np.empty(LANES, np.intp)
    nothing, lost = np.empty(LANES, a.dtype), np.empty(LANES, np.uint8)
    inside, beside = n * parts, columns * parts
    for s in range(s0, s1, LANES):
        count = min(s1 - s, LANES)  # the last system fills the lanes left over
        for w in range(lanes):
            nothing[w], lost[w] = 0, 0
        for i in range(n):
            to, end = i * width * number, (i + 1) * parts if positive else inside
            _load(lanes, count, (s * n + i) * inside, end, n * inside, a, to, rows)
            _load(lanes, count, (s * n + i) * beside, beside, n * beside, b, to + n * number, rows)
            for j in range(to, to + end * LANES, LANES):
                for w in range(lanes):
                    nothing[w] += 0 * rows[_lane(j, w)]
        if positive:
            _positive(lanes, parts, n, width, rows, lost, factor)
        else:
            _general(lanes, parts, n, width, rows, lost, factor, largest, place)
        for w in range(count):
            failed[s + w] = 1 if lost[w] and nothing[w] == 0 else 0
            none = lost[w] or nothing[w] != 0
            for i in range(n):
                y, to = (i * width + n) * number + w, ((s + w) * n + i) * beside
                for j in range(beside):
                    x[_lane(to, j)] = np.nan if none else rows[_lane(y, j * LANES)]


@jit
def _transpose(a, t):
    # in squares
    for r in range(0, len(a), SIDE):
        for c in range(0, len(t), SIDE):
            for i in range(r, min(r + SIDE, len(a))):
                for j in range(c, min(c + SIDE, len(t))):
                    t[j, i] = a[i, j]


@jit
def one_by_one(s0, s1, a, b, positive, x, failed):
    n, columns = b.shape[1:]
    width = min(columns, max(1, PIECE // n))
    factor, piece = np.empty((n, n), a.dtype), np.empty((width, n), a.dtype)
    pivots = np.empty(n, BLAS_INT)
    for s in range(s0, s1):
        nothing = a[s, 0, 0] * 0
        for i in range(n):
            for j in range(i + 1 if positive else n):
                nothing += 0 * a[s, i, j]
        info = 0
        if nothing == 0:
            _transpose(a[s], factor)
            info = potrf(n, factor, n) if positive else getrf(n, factor, n, pivots)
        failed[s] = info != 0
        if info != 0 or nothing != 0:
            for i in range(n):
                for j in range(columns):
                    x[s, i, j] = np.nan
            continue
        for start in range(0, columns, width):
            count = min(width, columns - start)
            _transpose(b[s, :, start : start + count], piece[:count])
            if positive:
                potrs(n, count, factor, n, piece, n)
            else:
                getrs(n, count, factor, n, pivots, piece, n)
            _transpose(piece[:count], x[s, :, start : start + count])
