from cython cimport floating
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from hotloops.kernels import sparse as kernel


cdef extern from "vmath.h" nogil:
    ctypedef int cloned "HL_CLONES int"
    ctypedef void inlined "HL_INLINE void"
    ctypedef int inlined_int "HL_INLINE int"


cdef extern from "sparse/lanes.h" nogil:
    enum:
        REAL "HL_REAL"
        COMPLEX "HL_COMPLEX"
        BOOL "HL_BOOL"
        LANES "HL_TILE"
    void add_column "HL_ADD_COLUMN"(
        int kind, Py_ssize_t count, const void* values, const void* places, Py_ssize_t first,
        const void* tile, void* y)
    void HL_PREFETCH(const void* address)
    void scalar_loop "HL_SCALAR_LOOP"()


cdef enum:
    GROUP = 64  # columns whose sums are written together
    CHUNK = 256  # nonzeros whose numbers stay in the first cache
    WINDOW = 32768  # rows of the matrix whose numbers may be held
    AHEAD = 64  # rows of the matrix
    FEW = 2  # rows that are not worth a tile


if LANES != kernel.LANES:  # which C must know when it compiles
    raise ImportError("lanes.h and __init__.py have different numbers")


ctypedef fused number:
    float
    double
    uint8_t
    uint16_t
    uint32_t
    uint64_t


ctypedef fused unsigned_integer:
    uint8_t
    uint16_t
    uint32_t
    uint64_t


ctypedef fused index:
    int32_t
    int64_t


cdef inline inlined _locate(
    Py_ssize_t r, Py_ssize_t depth, const Py_ssize_t* axes, Py_ssize_t* place, Py_ssize_t* row,
) noexcept nogil:
    # where row r starts in x, and which row of out it is
    cdef Py_ssize_t a = depth - 1
    place[0] = row[0] = 0
    while a > 0:
        place[0] += r % axes[a] * axes[depth + a]
        row[0] += r % axes[a] * axes[2 * depth + a]
        r //= axes[a]
        a -= 1
    place[0] += r * axes[depth]
    row[0] += r * axes[2 * depth]


cdef inline inlined _load(
    int parts, Py_ssize_t n, const number* x, const Py_ssize_t* places, number* lanes,
) noexcept nogil:
    cdef Py_ssize_t w
    for w in range(n):
        lanes[w] = x[places[w]]
        if parts == 2:
            lanes[LANES // (2 * sizeof(number)) + w] = x[places[w] + 1]


cdef inline inlined _load_tile(
    int parts, Py_ssize_t n, bint adjacent, const number* x, const Py_ssize_t* places,
    number* lanes,
) noexcept nogil:
    if adjacent:
        memcpy(lanes, x + places[0], LANES)
    elif n == LANES // (parts * sizeof(number)):  # a constant is unrolled
        _load(parts, LANES // (parts * sizeof(number)), x, places, lanes)
    else:
        _load(parts, n, x, places, lanes)


cdef inline inlined _store(
    int parts, Py_ssize_t n, Py_ssize_t count, const number* y, number* out,
    const Py_ssize_t* rows, Py_ssize_t stride,
) noexcept nogil:
    # the sums of `count` columns; y NULL: they are 0
    cdef Py_ssize_t j, w
    cdef number* target
    for w in range(n):
        target = out + parts * rows[w] * stride
        if y == NULL:
            memset(target, 0, parts * count * sizeof(number))
            continue
        for j in range(count):
            target[parts * j] = y[LANES // sizeof(number) * j + w]
            if parts == 2:
                target[2 * j + 1] = y[
                    LANES // sizeof(number) * j + LANES // (2 * sizeof(number)) + w
                ]


cdef inline inlined _row(
    int kind, Py_ssize_t c0, Py_ssize_t c1, const number* x, Py_ssize_t step,
    const number* values, const index* indices, const index* starts, number* out,
) noexcept nogil:
    cdef Py_ssize_t i, j, p
    cdef number s
    for j in range(c0, c1):
        s = 0
        for p in range(starts[j], starts[j + 1]):
            scalar_loop()
            i = step * indices[p]
            if kind == BOOL:
                s += <number> (values[p] * (x[i] - s * x[i]))
            else:
                # times 1u: what is shorter than an int would become a signed one, and overflow
                s += <number> (1u * values[p] * x[i])
        out[j] = s


cdef inline inlined _tile(
    int kind, Py_ssize_t n, Py_ssize_t c0, Py_ssize_t c1, const number* x,
    const Py_ssize_t* places, Py_ssize_t step, Py_ssize_t first, Py_ssize_t window,
    const number* values, const index* indices, const index* starts, number* out,
    const Py_ssize_t* rows, Py_ssize_t stride, number* tile, number* y, const index* order,
) noexcept nogil:
    # n rows. With a window the tile holds their numbers from `first` on, and a nonzero's are at its
    # index; else it holds those of one chunk of nonzeros after another, in their order.
    cdef int parts = 2 if kind == COMPLEX else 1
    cdef Py_ssize_t lanes = LANES // sizeof(number), c, i, j, p, stop, q0, q1
    cdef bint adjacent = parts == 1 and n == lanes
    for i in range(n):
        adjacent = adjacent and places[i] == places[0] + i
    for i in range(window):
        if i % 8 == 0:
            for j in range(n):
                HL_PREFETCH(x + places[j] + (first + i + AHEAD) * step)
        _load_tile(parts, n, adjacent, x + (first + i) * step, places, tile + i * lanes)
    while c0 < c1:
        c = min(c0 + GROUP, c1)
        if starts[c0] == starts[c]:
            _store(parts, n, c - c0, <const number*> NULL, out + parts * c0, rows, stride)
            c0 = c
            continue
        memset(y, 0, (c - c0) * LANES)
        q0 = q1 = starts[c0]
        for j in range(c0, c):
            if window:
                p = starts[j]
                add_column(kind, starts[j + 1] - p, values + parts * p, indices + p, first, tile,
                           y + (j - c0) * lanes)
                continue
            p = starts[j]
            while p < starts[j + 1]:
                if p == q1:
                    q0, q1 = q1, min(q1 + CHUNK, starts[c])
                    for i in range(q0, q1):
                        _load_tile(parts, n, adjacent, x + step * indices[i], places,
                                   tile + (i - q0) * lanes)
                stop = min(starts[j + 1], q1)
                add_column(kind, stop - p, values + parts * p, order + (p - q0), 0, tile,
                           y + (j - c0) * lanes)
                p = stop
        _store(parts, n, c - c0, y, out + parts * c0, rows, stride)
        c0 = c


cdef inline Py_ssize_t _window(
    const index* indices, Py_ssize_t count, Py_ssize_t* first,
) noexcept nogil:
    # The rows of the matrix from the first to the last that holds any of these nonzeros, if they
    # are few enough to be held and often enough used; else 0.
    cdef Py_ssize_t p
    cdef index low, high
    if not count:
        return 0
    low = high = indices[0]
    for p in range(count):
        low, high = min(low, indices[p]), max(high, indices[p])
    first[0] = low
    return high - low + 1 if high - low < min(2 * count, <Py_ssize_t> WINDOW) else 0


cdef inline inlined_int _block(
    int kind, Py_ssize_t r0, Py_ssize_t r1, Py_ssize_t c0, Py_ssize_t c1, Py_ssize_t depth,
    const Py_ssize_t* axes, const number* x, Py_ssize_t step, const number* values,
    const index* indices, const index* starts, number* out, Py_ssize_t stride,
) noexcept nogil:
    # 0, or -1 without memory. What is allocated or declared here is known not to overlap x or out.
    cdef int parts = 2 if kind == COMPLEX else 1
    cdef Py_ssize_t places[LANES]
    cdef Py_ssize_t rows[LANES]
    cdef index order[CHUNK]
    cdef char sums[(GROUP + 1) * LANES]
    cdef char* numbers
    cdef Py_ssize_t first = 0, window = 0, n, w
    if r1 - r0 > FEW:
        window = _window(indices + starts[c0], starts[c1] - starts[c0], &first)
    n = (max(window, <Py_ssize_t> CHUNK) + 1) * LANES
    numbers = <char*> malloc(n)
    if numbers == NULL:
        return -1
    if (r1 - r0) * sizeof(number) < LANES:  # no row will be in the last lanes
        memset(numbers, 0, n)
    for w in range(CHUNK):
        order[w] = <index> w
    while r0 < r1:
        n = min(r1 - r0, <Py_ssize_t> (LANES // (parts * sizeof(number))))
        for w in range(n):
            _locate(r0 + w, depth, axes, &places[w], &rows[w])
        # a compiler fuses other products of complex numbers here than in a tile
        if n <= FEW and kind != COMPLEX:
            for w in range(n):
                _row(kind, c0, c1, x + places[w], step, values, indices, starts,
                     out + rows[w] * stride)
        else:
            _tile(kind, n, c0, c1, x, places, step, first, window, values, indices, starts, out,
                  rows, stride, <number*> (numbers + -<uintptr_t> numbers % LANES),
                  <number*> (sums + -<uintptr_t> sums % LANES), order)
        r0 += n
    free(numbers)
    return 0


cdef cloned _real(
    Py_ssize_t r0, Py_ssize_t r1, Py_ssize_t c0, Py_ssize_t c1, Py_ssize_t depth,
    const Py_ssize_t* axes, const number* x, Py_ssize_t step, const number* values,
    const index* indices, const index* starts, number* out, Py_ssize_t stride,
) noexcept nogil:
    return _block(REAL, r0, r1, c0, c1, depth, axes, x, step, values, indices, starts, out, stride)


cdef cloned _complex(
    Py_ssize_t r0, Py_ssize_t r1, Py_ssize_t c0, Py_ssize_t c1, Py_ssize_t depth,
    const Py_ssize_t* axes, const floating* x, Py_ssize_t step, const floating* values,
    const index* indices, const index* starts, floating* out, Py_ssize_t stride,
) noexcept nogil:
    return _block(COMPLEX, r0, r1, c0, c1, depth, axes, x, step, values, indices, starts, out,
                  stride)


cdef cloned _bool(
    Py_ssize_t r0, Py_ssize_t r1, Py_ssize_t c0, Py_ssize_t c1, Py_ssize_t depth,
    const Py_ssize_t* axes, const uint8_t* x, Py_ssize_t step, const uint8_t* values,
    const index* indices, const index* starts, uint8_t* out, Py_ssize_t stride,
) noexcept nogil:
    return _block(BOOL, r0, r1, c0, c1, depth, axes, x, step, values, indices, starts, out, stride)


cdef inline inlined _groups(
    int kind, Py_ssize_t count, const number* x, Py_ssize_t step, const index* rows,
    const number* values, const index* indices, const index* starts, number* out,
) noexcept nogil:
    cdef Py_ssize_t g, j, p
    cdef number s, t = 0, re, im
    for g in range(count):
        s = x[step * rows[g]]
        if kind == COMPLEX:
            t = x[step * rows[g] + 1]
        for p in range(starts[g], starts[g + 1]):
            scalar_loop()
            j = indices[p]
            if kind == COMPLEX:
                re, im = out[2 * j], out[2 * j + 1]
                re += values[2 * p] * s
                im += values[2 * p] * t
                re -= values[2 * p + 1] * t
                im += values[2 * p + 1] * s
                out[2 * j], out[2 * j + 1] = re, im
            elif kind == BOOL:
                out[j] += <number> (values[p] * (s - out[j] * s))
            else:
                out[j] += <number> (1u * values[p] * s)


cdef inline inlined _scatter(
    int kind, Py_ssize_t r0, Py_ssize_t r1, Py_ssize_t depth, const Py_ssize_t* axes,
    const number* x, Py_ssize_t step, Py_ssize_t count, const index* rows, const number* values,
    const index* indices, const index* starts, number* out, Py_ssize_t width,
) noexcept nogil:
    # width: numbers of a row of out
    cdef Py_ssize_t r, place = 0, row = 0
    cdef Py_ssize_t length = (2 if kind == COMPLEX else 1) * width
    for r in range(r0, r1):
        _locate(r, depth, axes, &place, &row)
        memset(out + row * length, 0, length * sizeof(number))
        _groups(kind, count, x + place, step, rows, values, indices, starts, out + row * length)


cdef cloned _scatter_real(
    Py_ssize_t r0, Py_ssize_t r1, Py_ssize_t depth, const Py_ssize_t* axes, const number* x,
    Py_ssize_t step, Py_ssize_t count, const index* rows, const number* values,
    const index* indices, const index* starts, number* out, Py_ssize_t width,
) noexcept nogil:
    _scatter(REAL, r0, r1, depth, axes, x, step, count, rows, values, indices, starts, out, width)
    return 0


cdef cloned _scatter_complex(
    Py_ssize_t r0, Py_ssize_t r1, Py_ssize_t depth, const Py_ssize_t* axes, const floating* x,
    Py_ssize_t step, Py_ssize_t count, const index* rows, const floating* values,
    const index* indices, const index* starts, floating* out, Py_ssize_t width,
) noexcept nogil:
    _scatter(COMPLEX, r0, r1, depth, axes, x, step, count, rows, values, indices, starts, out,
             width)
    return 0


cdef cloned _scatter_bool(
    Py_ssize_t r0, Py_ssize_t r1, Py_ssize_t depth, const Py_ssize_t* axes, const uint8_t* x,
    Py_ssize_t step, Py_ssize_t count, const index* rows, const uint8_t* values,
    const index* indices, const index* starts, uint8_t* out, Py_ssize_t width,
) noexcept nogil:
    _scatter(BOOL, r0, r1, depth, axes, x, step, count, rows, values, indices, starts, out, width)
    return 0


def fill(
    Py_ssize_t r0, Py_ssize_t r1, Py_ssize_t c0, Py_ssize_t c1, const Py_ssize_t[:, ::1] axes,
    const floating[::1] x, Py_ssize_t origin, Py_ssize_t step, const floating[::1] values,
    const index[::1] indices, const index[::1] starts, floating[:, ::1] out,
):
    cdef int failed
    with nogil:
        failed = _real(r0, r1, c0, c1, axes.shape[1], &axes[0, 0], &x[0] + origin, step,
                       &values[0], &indices[0], &starts[0], &out[0, 0], out.shape[1])
    if failed:
        raise MemoryError


def fill_complex(
    Py_ssize_t r0, Py_ssize_t r1, Py_ssize_t c0, Py_ssize_t c1, const Py_ssize_t[:, ::1] axes,
    const floating[::1] x, Py_ssize_t origin, Py_ssize_t step, const floating[::1] values,
    const index[::1] indices, const index[::1] starts, floating[:, ::1] out,
):
    cdef int failed
    with nogil:
        failed = _complex(r0, r1, c0, c1, axes.shape[1], &axes[0, 0], &x[0] + origin, step,
                          &values[0], &indices[0], &starts[0], &out[0, 0], out.shape[1] // 2)
    if failed:
        raise MemoryError


def fill_integer(
    Py_ssize_t r0, Py_ssize_t r1, Py_ssize_t c0, Py_ssize_t c1, const Py_ssize_t[:, ::1] axes,
    const unsigned_integer[::1] x, Py_ssize_t origin, Py_ssize_t step,
    const unsigned_integer[::1] values, const index[::1] indices, const index[::1] starts,
    unsigned_integer[:, ::1] out,
):
    cdef int failed
    with nogil:
        failed = _real(r0, r1, c0, c1, axes.shape[1], &axes[0, 0], &x[0] + origin, step,
                       &values[0], &indices[0], &starts[0], &out[0, 0], out.shape[1])
    if failed:
        raise MemoryError


def fill_bool(
    Py_ssize_t r0, Py_ssize_t r1, Py_ssize_t c0, Py_ssize_t c1, const Py_ssize_t[:, ::1] axes,
    const uint8_t[::1] x, Py_ssize_t origin, Py_ssize_t step, const uint8_t[::1] values,
    const index[::1] indices, const index[::1] starts, uint8_t[:, ::1] out,
):
    cdef int failed
    with nogil:
        failed = _bool(r0, r1, c0, c1, axes.shape[1], &axes[0, 0], &x[0] + origin, step,
                       &values[0], &indices[0], &starts[0], &out[0, 0], out.shape[1])
    if failed:
        raise MemoryError


def scatter(
    Py_ssize_t r0, Py_ssize_t r1, const Py_ssize_t[:, ::1] axes, const floating[::1] x,
    Py_ssize_t origin, Py_ssize_t step, const index[::1] rows, const floating[::1] values,
    const index[::1] indices, const index[::1] starts, floating[:, ::1] out,
):
    with nogil:
        _scatter_real(r0, r1, axes.shape[1], &axes[0, 0], &x[0] + origin, step, rows.shape[0],
                      &rows[0], &values[0], &indices[0], &starts[0], &out[0, 0],
                      out.shape[1])


def scatter_complex(
    Py_ssize_t r0, Py_ssize_t r1, const Py_ssize_t[:, ::1] axes, const floating[::1] x,
    Py_ssize_t origin, Py_ssize_t step, const index[::1] rows, const floating[::1] values,
    const index[::1] indices, const index[::1] starts, floating[:, ::1] out,
):
    with nogil:
        _scatter_complex(r0, r1, axes.shape[1], &axes[0, 0], &x[0] + origin, step, rows.shape[0],
                         &rows[0], &values[0], &indices[0], &starts[0], &out[0, 0],
                         out.shape[1] // 2)


def scatter_integer(
    Py_ssize_t r0, Py_ssize_t r1, const Py_ssize_t[:, ::1] axes, const unsigned_integer[::1] x,
    Py_ssize_t origin, Py_ssize_t step, const index[::1] rows, const unsigned_integer[::1] values,
    const index[::1] indices, const index[::1] starts, unsigned_integer[:, ::1] out,
):
    with nogil:
        _scatter_real(r0, r1, axes.shape[1], &axes[0, 0], &x[0] + origin, step, rows.shape[0],
                      &rows[0], &values[0], &indices[0], &starts[0], &out[0, 0],
                      out.shape[1])


def scatter_bool(
    Py_ssize_t r0, Py_ssize_t r1, const Py_ssize_t[:, ::1] axes, const uint8_t[::1] x,
    Py_ssize_t origin, Py_ssize_t step, const index[::1] rows, const uint8_t[::1] values,
    const index[::1] indices, const index[::1] starts, uint8_t[:, ::1] out,
):
    with nogil:
        _scatter_bool(r0, r1, axes.shape[1], &axes[0, 0], &x[0] + origin, step, rows.shape[0],
                      &rows[0], &values[0], &indices[0], &starts[0], &out[0, 0],
                      out.shape[1])
