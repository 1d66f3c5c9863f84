from cython cimport floating
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from blas cimport gemm

from hotloops.kernels import field as kernel


cdef extern from "vmath.h" nogil:
    ctypedef void cloned "HL_CLONES void"


cdef extern from "waves.h" nogil:
    enum:
        HL_STRIP
        HL_GROUP
        HL_PADDED
        HL_BUNCH
    ctypedef struct hl_waves:
        Py_ssize_t* layer
        double* forward_re
        double* forward_im
        double* backward_re
        double* backward_im
    Py_ssize_t hl_groups(Py_ssize_t start, Py_ssize_t stop)
    Py_ssize_t hl_end(Py_ssize_t start, Py_ssize_t stop, Py_ssize_t n)
    Py_ssize_t hl_run(Py_ssize_t start, Py_ssize_t n, const Py_ssize_t* layer)
    void hl_by_layer(
        Py_ssize_t n, const double* z, Py_ssize_t count, const double* interfaces,
        Py_ssize_t* place)
    void hl_phases(
        Py_ssize_t n, const double* k, const double* path, double* re, double* im)
    void hl_waves_at(
        Py_ssize_t n, const double* z, Py_ssize_t count, const double* interfaces,
        const double* kz, const double* amplitudes, bint far, hl_waves* waves)


cdef enum:
    COLUMNS = 1024
    WAVES = 128

if (HL_STRIP, HL_BUNCH, COLUMNS, WAVES, 7) != (
    128, 512, kernel.COLUMNS, kernel.WAVES, len(kernel.OPERANDS)
):
    # which loops of fixed steps are written with, and C must know when it compiles
    raise ImportError("_cython.pyx, waves.h and __init__.py have different numbers")


ctypedef double[HL_PADDED] strip


cdef struct Stack:
    Py_ssize_t count
    const double* interfaces
    const double complex* kz
    const double complex* amplitudes
    const double complex* vectors
    const double complex* kx
    const double complex* coherent
    const double* incoherent
    bint far


cdef Stack _stack(
    const double[:, ::1] interfaces, const double complex[:, ::1] kz,
    const double complex[:, :, ::1] amplitudes, const double complex[:, :, :, ::1] vectors,
    bint far, const double complex[::1] kx, const double complex[::1] coherent,
    const double[::1] incoherent,
) noexcept nogil:
    return Stack(interfaces.shape[1], &interfaces[0, 0], &kz[0, 0], &amplitudes[0, 0, 0],
                 &vectors[0, 0, 0, 0], &kx[0], &coherent[0], &incoherent[0], far)


# A row is where one wave's operands are: interfaces, kz, amplitudes, vectors, kx and weights.


cdef cloned _add_components(
    Py_ssize_t n, const hl_waves* waves, const double complex* amplitudes,
    const double complex* vectors, const double* re, const double* im, strip* total,
) noexcept nogil:
    # total (6, n) += (re + i im) · (forward v+ + backward v-): each component's two parts
    cdef Py_ssize_t c, i, layer, start = 0, stop
    cdef double fx, fy, bx, by
    cdef double v[6]
    cdef double w[6]
    cdef strip[6] f
    cdef const double* vector
    while start < n:
        stop = hl_run(start, n, waves.layer)
        layer = waves.layer[start]
        vector = <const double*> (vectors + 6 * layer)
        for c in range(6):
            # an absent wave's vector may be whatever
            v[c] = vector[c] if amplitudes[2 * layer] != 0 else 0
            w[c] = vector[6 + c] if amplitudes[2 * layer + 1] != 0 else 0
        for i in range(start, hl_end(start, stop, n)):
            fx, fy = waves.forward_re[i], waves.forward_im[i]
            bx, by = waves.backward_re[i], waves.backward_im[i]
            for c in range(0, 6, 2):
                f[c][i] = fx * v[c] - fy * v[c + 1] + bx * w[c] - by * w[c + 1]
                f[c + 1][i] = fx * v[c + 1] + fy * v[c] + bx * w[c + 1] + by * w[c]
        start = stop
    for c in range(0, 6, 2):
        for i in range(hl_groups(0, n)):
            total[c][i] += re[i] * f[c][i] - im[i] * f[c + 1][i]
            total[c + 1][i] += re[i] * f[c + 1][i] + im[i] * f[c][i]


cdef void _add(
    const Stack* s, const Py_ssize_t* row, Py_ssize_t n, const double* z, const double* x,
    strip* total,
) noexcept nogil:
    # total += coherent · f(z) exp(i kx x) at n <= HL_STRIP points; no x: the profile
    cdef Py_ssize_t i
    cdef hl_waves waves
    cdef strip re, im
    cdef double p
    cdef double complex c = s.coherent[row[5]]
    cdef const double complex* kz = s.kz + row[1] * (s.count + 1)
    cdef const double complex* amplitudes = s.amplitudes + row[2] * 2 * (s.count + 1)
    hl_waves_at(n, z, s.count, s.interfaces + row[0] * s.count, <const double*> kz,
                <const double*> amplitudes, s.far, &waves)
    if x == NULL:
        for i in range(hl_groups(0, n)):
            re[i], im[i] = c.real, c.imag
    else:
        hl_phases(n, <const double*> (s.kx + row[4]), x, re, im)
        for i in range(hl_groups(0, n)):
            p = re[i]
            re[i] = c.real * p - c.imag * im[i]
            im[i] = c.real * im[i] + c.imag * p
    _add_components(n, &waves, amplitudes, s.vectors + row[3] * 6 * (s.count + 1), re, im, total)


cdef cloned _add_squares(Py_ssize_t n, double weight, const strip* f, double* total) noexcept nogil:
    # total (n,) += weight |f|^2
    cdef Py_ssize_t i
    for i in range(hl_groups(0, n)):
        total[i] += weight * (
            f[0][i] * f[0][i] + f[1][i] * f[1][i] + f[2][i] * f[2][i]
            + f[3][i] * f[3][i] + f[4][i] * f[4][i] + f[5][i] * f[5][i])


cdef void _sum_squares(
    const Stack* s, Py_ssize_t beams, Py_ssize_t waves, const Py_ssize_t* row, Py_ssize_t n,
    const double* z, const double* x, double* total,
) noexcept nogil:
    # total = the sum over beams of incoherent |E|^2, E the sum over a beam's waves
    cdef Py_ssize_t k, m
    cdef strip[6] f
    memset(total, 0, sizeof(strip))
    for m in range(beams):
        memset(f, 0, sizeof(f))
        for k in range(waves):
            _add(s, row + 7 * (m * waves + k), n, z, x, f)
        _add_squares(n, s.incoherent[row[7 * m * waves + 6]], f, total)


cdef void _points(
    const Stack* s, Py_ssize_t beams, Py_ssize_t waves, const Py_ssize_t* row, Py_ssize_t n,
    const double* z, const double* x, Py_ssize_t parts, floating* out,
) noexcept nogil:
    # out (n, 6) = the sum over waves, or (n, 1) = that of intensities over beams; n <= HL_BUNCH
    # points in any order, taken by the layers of the first wave
    cdef Py_ssize_t c, i, k, m, start, table = row[0] if beams * waves > 0 else 0
    cdef Py_ssize_t place[HL_BUNCH]
    cdef double depth[HL_BUNCH]
    cdef double position[HL_BUNCH]
    cdef strip[24] f  # those of each strip
    hl_by_layer(n, z, s.count, s.interfaces + table * s.count, place)
    for i in range(n):
        depth[place[i]] = z[i]
    if x != NULL:
        for i in range(n):
            position[place[i]] = x[i]
    for start in range(0, n, 128):
        k, m = 6 * (start // HL_STRIP), min(n - start, HL_STRIP)
        if parts == 1:
            _sum_squares(s, beams, waves, row, m, depth + start,
                         NULL if x == NULL else position + start, f[k])
        else:
            memset(f + k, 0, 6 * sizeof(strip))
            for i in range(waves):
                _add(s, row + 7 * i, m, depth + start, NULL if x == NULL else position + start,
                     f + k)
    for i in range(n):
        k, m = 6 * (place[i] // HL_STRIP), place[i] % HL_STRIP
        for c in range(parts):
            out[i * parts + c] = <floating> f[k + c][m]


def points(
    Py_ssize_t s0, Py_ssize_t s1, Py_ssize_t b0, Py_ssize_t b1, Py_ssize_t p0, Py_ssize_t p1,
    const Py_ssize_t[:, :, :, ::1] rows, const double[::1] z, const double[:, ::1] interfaces,
    const double complex[:, ::1] kz, const double complex[:, :, ::1] amplitudes,
    const double complex[:, :, :, ::1] vectors, bint far, const double[::1] x,
    const double complex[::1] kx, const double complex[::1] coherent,
    const double[::1] incoherent, Py_ssize_t start, Py_ssize_t stop, floating[:, :, :, ::1] out,
):
    cdef Py_ssize_t b, i, p, beams = 1, waves = stop - start, first = start
    cdef Stack s = _stack(interfaces, kz, amplitudes, vectors, far, kx, coherent, incoherent)
    cdef const double* position = NULL
    if out.shape[3] == 1:
        beams, waves = stop - start, rows.shape[2]
        first = start * waves
    with nogil:
        for i in range(s0, s1):
            for b in range(b0, b1):
                for p in range(p0, p1, 512):
                    if x.shape[0] > 0:
                        position = &x[p]
                    _points[floating](&s, beams, waves, &rows[b, 0, 0, 0] + 7 * first,
                                      min(p1 - p, HL_BUNCH), &z[p], position, out.shape[3],
                                      &out[i, b, p, 0])


cdef void _phases(
    double complex k, Py_ssize_t n, const double* x, double* re, double* im,
) noexcept nogil:
    # exp(i k x), n <= COLUMNS
    cdef Py_ssize_t start
    for start in range(0, n, 128):
        hl_phases(min(n - start, HL_STRIP), <const double*> &k, x + start, re + start, im + start)


cdef cloned _outer(
    Py_ssize_t n, const double* f, const double* re, const double* im, floating* out,
) noexcept nogil:
    # out (n, 3) = (re + i im) (n,) · f (3,): in real numbers p re + q im
    cdef Py_ssize_t c, i
    cdef double[6] p
    cdef double[6] q
    cdef double x, y
    for c in range(0, 6, 2):
        p[c], q[c] = f[c], -f[c + 1]
        p[c + 1], q[c + 1] = f[c + 1], f[c]
    for i in range(n):
        x, y = re[i], im[i]
        for c in range(6):
            out[6 * i + c] = <floating> (p[c] * x + q[c] * y)


cdef void _one_wave(
    const Stack* s, const Py_ssize_t* row, Py_ssize_t nz, const double* z, Py_ssize_t nx,
    const double* x, floating* out, Py_ssize_t stride,
) noexcept nogil:
    # out (nz, nx, 6) = coherent · f(z) exp(i kx x)
    cdef Py_ssize_t c, i, j, m, n, start
    cdef double[COLUMNS + HL_GROUP] re
    cdef double[COLUMNS + HL_GROUP] im
    cdef strip[6] f
    cdef double[6] plane
    for start in range(0, nx, 1024):
        n = min(nx - start, COLUMNS)
        _phases(s.kx[row[4]], n, x + start, re, im)
        for i in range(0, nz, 128):
            m = min(nz - i, HL_STRIP)
            memset(f, 0, sizeof(f))
            _add(s, row, m, z + i, NULL, f)
            for j in range(m):
                for c in range(6):
                    plane[c] = f[c][j]
                _outer[floating](n, plane, re, im, out + (i + j) * stride + 6 * start)


cdef void _intensities(
    const Stack* s, Py_ssize_t beams, const Py_ssize_t* row, Py_ssize_t nz, const double* z,
    Py_ssize_t nx, const double* x, double* scratch, floating* out, Py_ssize_t stride,
) noexcept nogil:
    # out (nz, nx) = sum over m of incoherent |f(z)|^2 · exp(-2 Im kx x), a matrix product in which
    # neighbours of the same Im kx are one
    cdef Py_ssize_t i, j, m = 0, n = 0, start, total = 0
    cdef double* a = scratch  # (WAVES or less, nz)
    cdef double* b = a + min(WAVES, beams) * nz  # (WAVES or less, nx)
    cdef double* c = b + min(WAVES, beams) * nx  # (nz, nx)
    cdef double complex k = 0
    cdef strip intensity, re, im
    while m < beams:
        if n == 0 or s.kx[row[7 * m + 4]].imag != k.imag:
            if n == WAVES:
                gemm[double](nz, nx, n, a, nz, b, nx, c, nx, total > 0, True)
                total, n = total + n, 0
            k = 2j * s.kx[row[7 * m + 4]].imag
            memset(a + n * nz, 0, nz * sizeof(double))
            for start in range(0, nx, 128):
                j = min(nx - start, HL_STRIP)
                hl_phases(j, <const double*> &k, x + start, re, im)
                for i in range(j):
                    b[n * nx + start + i] = re[i]
            k = k / 2
            n += 1
        for start in range(0, nz, 128):
            j = min(nz - start, HL_STRIP)
            _sum_squares(s, 1, 1, row + 7 * m, j, z + start, NULL, intensity)
            for i in range(j):
                a[(n - 1) * nz + start + i] += intensity[i]
        m += 1
    gemm[double](nz, nx, n, a, nz, b, nx, c, nx, total > 0, True)
    for i in range(nz):
        for j in range(nx):
            out[i * stride + j] = <floating> c[i * nx + j]


cdef cloned _count_nonzero(Py_ssize_t n, const double* a, Py_ssize_t* count) noexcept nogil:
    cdef Py_ssize_t i, total = 0
    for i in range(n):
        total += a[i] != 0
    count[0] += total


cdef cloned _count_infinite(
    Py_ssize_t n, Py_ssize_t rows, Py_ssize_t stride, const double* a, Py_ssize_t* count,
) noexcept nogil:
    cdef Py_ssize_t i, r, total = 0
    for r in range(rows):
        for i in range(n):
            total += a[r * stride + i] - a[r * stride + i] != 0
    count[0] = total


# A product of complex matrices A B is three of real ones,
#     re = Re A Re B - Im A Im B,  im = (Re A + Im A) (Re B + Im B) - Re A Re B - Im A Im B,
# a quarter less than its definition. Each matrix is three real ones, a `plane` apart.


cdef cloned _split(
    Py_ssize_t n, const double* re, const double* im, double* out, Py_ssize_t plane,
) noexcept nogil:
    # a factor
    cdef Py_ssize_t i
    for i in range(n):
        out[i], out[plane + i], out[2 * plane + i] = re[i], im[i], re[i] + im[i]


cdef cloned _interleave(
    Py_ssize_t n, Py_ssize_t component, const double* e, Py_ssize_t plane, floating* out,
) noexcept nogil:
    # out (n, 3) from the products of its components
    cdef Py_ssize_t c, i
    cdef double x, y
    for i in range(n):
        for c in range(3):
            x, y = e[c * component + i], e[plane + c * component + i]
            out[6 * i + 2 * c] = <floating> (x - y)
            out[6 * i + 2 * c + 1] = <floating> (e[2 * plane + c * component + i] - x - y)


cdef cloned _add_square_of(
    Py_ssize_t n, double weight, const double* e, Py_ssize_t plane, double* total,
) noexcept nogil:
    # total (n,) += weight |product|^2
    cdef Py_ssize_t i
    cdef double re, im
    for i in range(n):
        re = e[i] - e[plane + i]
        im = e[2 * plane + i] - e[i] - e[plane + i]
        total[i] += weight * (re * re + im * im)


cdef inline Py_ssize_t _apart(Py_ssize_t length) noexcept nogil:
    # the distance between rows, of which a power of two would share few places in the caches
    return (length + 7) // 8 * 8 + 4


cdef void _beam(
    const Stack* s, Py_ssize_t waves, const Py_ssize_t* row, Py_ssize_t nz, const double* z,
    Py_ssize_t nx, const double* x, double* a, double* b, double* out,
) noexcept nogil:
    # out (3, 3, nz, nx) = the products that make the sum over the waves, WAVES at a time, of
    # a (waves, 3, nz) = coherent · f(z) times b (waves, nx) = exp(i kx x)
    cdef Py_ssize_t c, first, i, j, k, n, start, stop, height = _apart(3 * nz), width = _apart(nx)
    cdef Py_ssize_t heights = min(WAVES, waves) * height, widths = min(WAVES, waves) * width
    cdef Py_ssize_t plane = 3 * nz * width
    cdef Py_ssize_t present[3]
    cdef strip[6] f
    cdef strip re, im
    for first in range(0, waves, 128):
        n = min(waves - first, WAVES)
        present[:] = [0, 0, 0]
        for k in range(n):
            for start in range(0, nx, 128):
                j = min(nx - start, HL_STRIP)
                hl_phases(j, <const double*> (s.kx + row[4]), x + start, re, im)
                _split(j, re, im, b + k * width + start, widths)
            for start in range(0, nz, 128):
                j = min(nz - start, HL_STRIP)
                memset(f, 0, sizeof(f))
                _add(s, row, j, z + start, NULL, f)
                for c in range(3):
                    _split(j, f[2 * c], f[2 * c + 1], a + k * height + c * nz + start, heights)
                    _count_nonzero(j, f[2 * c], &present[c])
                    _count_nonzero(j, f[2 * c + 1], &present[c])
            row += 7
        if 0 in (present[0], present[1], present[2]):
            # a component that no wave has costs nothing, unless 0 times its phase is NaN
            _count_infinite(nx, n, width, b + 2 * widths, &i)
            for c in range(3):
                present[c] += i
        c = 0
        while c < 3:
            stop = c + 1
            if present[c] > 0:
                while stop < 3 and present[stop] > 0:
                    stop += 1
                for k in range(3):
                    gemm[double]((stop - c) * nz, nx, n, a + k * heights + c * nz, height,
                                 b + k * widths, width, out + k * plane + c * nz * width, width,
                                 first > 0, True)
            elif first == 0:
                for k in range(3):
                    memset(out + k * plane + c * nz * width, 0, nz * width * sizeof(double))
            c = stop


cdef void _beams(
    const Stack* s, Py_ssize_t beams, Py_ssize_t waves, const Py_ssize_t* row, Py_ssize_t nz,
    const double* z, Py_ssize_t nx, const double* x, double* scratch, floating* out,
    Py_ssize_t stride, bint intensity,
) noexcept nogil:
    # out (nz, nx, 6) = the sum over a beam's waves, or (nz, nx) = incoherent |that|^2 over beams
    cdef Py_ssize_t c, i, j, m, width = _apart(nx), component = nz * width
    cdef double* a = scratch
    cdef double* b = a + 3 * min(WAVES, waves) * _apart(3 * nz)
    cdef double* e = b + 3 * min(WAVES, waves) * width
    cdef double* total = e + 9 * component
    if not intensity:
        _beam(s, waves, row, nz, z, nx, x, a, b, e)
        for i in range(nz):
            _interleave[floating](nx, component, e + i * width, 3 * component, out + i * stride)
        return
    memset(total, 0, component * sizeof(double))
    for m in range(beams):
        _beam(s, waves, row + 7 * m * waves, nz, z, nx, x, a, b, e)
        for c in range(3):
            _add_square_of(component, s.incoherent[row[7 * m * waves + 6]], e + c * component,
                           3 * component, total)
    for i in range(nz):
        for j in range(nx):
            out[i * stride + j] = <floating> total[i * width + j]


def grid(
    Py_ssize_t b0, Py_ssize_t b1, Py_ssize_t z0, Py_ssize_t z1, Py_ssize_t x0, Py_ssize_t x1,
    const Py_ssize_t[:, :, :, ::1] rows, const double[::1] z, const double[:, ::1] interfaces,
    const double complex[:, ::1] kz, const double complex[:, :, ::1] amplitudes,
    const double complex[:, :, :, ::1] vectors, bint far, const double[::1] x,
    const double complex[::1] kx, const double complex[::1] coherent,
    const double[::1] incoherent, floating[:, :, :, ::1] out,
):
    cdef Py_ssize_t b, beams = rows.shape[1], waves = rows.shape[2], size = 0
    cdef Py_ssize_t nz = z1 - z0, nx = x1 - x0, stride = out.shape[2] * out.shape[3]
    cdef bint intensity = out.shape[3] == 1
    cdef Stack s = _stack(interfaces, kz, amplitudes, vectors, far, kx, coherent, incoherent)
    cdef double* scratch = NULL
    if waves > 1:
        size = 3 * min(WAVES, waves) * (_apart(3 * nz) + _apart(nx))
        size += (10 if intensity else 9) * nz * _apart(nx)
    elif intensity:
        size = min(WAVES, beams) * (nz + nx) + nz * nx
    if size > 0:
        scratch = <double*> malloc(size * sizeof(double))
        if scratch == NULL:
            raise MemoryError
    with nogil:
        for b in range(b0, b1):
            if waves > 1:
                _beams[floating](&s, beams, waves, &rows[b, 0, 0, 0], nz, &z[z0], nx, &x[x0],
                                 scratch, &out[b, z0, x0, 0], stride, intensity)
            elif intensity:
                _intensities[floating](&s, beams, &rows[b, 0, 0, 0], nz, &z[z0], nx, &x[x0],
                                       scratch, &out[b, z0, x0, 0], stride)
            else:
                _one_wave[floating](&s, &rows[b, 0, 0, 0], nz, &z[z0], nx, &x[x0],
                                    &out[b, z0, x0, 0], stride)
    free(scratch)
