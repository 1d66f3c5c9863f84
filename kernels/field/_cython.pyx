from cython cimport floating
from libc.math cimport cos, exp, sin


cdef extern from "vmath.h" nogil:
    ctypedef void cloned "HL_CLONES void"


ctypedef fused number:
    float complex
    double complex


cdef enum:
    COLUMNS = 1024  # columns whose phases stay in the first cache


cdef inline void _exp(
    double complex k, double path, double* re, double* im,
) noexcept nogil:
    # exp(i k path)
    cdef double size = exp(-k.imag * path), angle = k.real * path
    re[0], im[0] = size * cos(angle), size * sin(angle)


cdef inline void _add(
    double complex amplitude, double complex k, double path, const double complex* vector,
    double* f,
) noexcept nogil:
    # f (3,) += vector · amplitude · exp(i k path)
    cdef Py_ssize_t c
    cdef double re, im, wave_re, wave_im
    if amplitude.real == 0 and amplitude.imag == 0:
        return
    _exp(k, path, &re, &im)
    wave_re = amplitude.real * re - amplitude.imag * im
    wave_im = amplitude.real * im + amplitude.imag * re
    for c in range(3):
        f[2 * c] += wave_re * vector[c].real - wave_im * vector[c].imag
        f[2 * c + 1] += wave_re * vector[c].imag + wave_im * vector[c].real


cdef void _plane(
    double z, Py_ssize_t count, const double* interfaces, const double complex* kz,
    const double complex* amplitudes, const double complex* vectors, bint far, double* f,
) noexcept nogil:
    # f(z), each component's real part and imaginary part
    cdef Py_ssize_t c, middle, n = 0, stop = count
    cdef double near, back
    while n < stop:  # n = the number of interfaces <= z
        middle = (n + stop) // 2
        if interfaces[middle] <= z:
            n = middle + 1
        else:
            stop = middle
    near = interfaces[max(n - 1, 0)]
    back = interfaces[min(n, count - 1)] if far else near
    for c in range(6):
        f[c] = z - z  # 0, or NaN
    _add(amplitudes[2 * n], kz[n], z - near, &vectors[6 * n], f)
    _add(amplitudes[2 * n + 1], kz[n], back - z, &vectors[6 * n + 3], f)


def profile(
    Py_ssize_t b0, Py_ssize_t b1, Py_ssize_t z0, Py_ssize_t z1, const Py_ssize_t[:, ::1] rows,
    const double[::1] z, const double[:, ::1] interfaces, const double complex[:, ::1] kz,
    const double complex[:, :, ::1] amplitudes, const double complex[:, :, :, ::1] vectors,
    bint far, number[:, :, ::1] out,
):
    cdef Py_ssize_t b, c, iz
    cdef double[6] f
    with nogil:
        for b in range(b0, b1):
            for iz in range(z0, z1):
                _plane(z[iz], interfaces.shape[1], &interfaces[rows[b, 0], 0], &kz[rows[b, 1], 0],
                       &amplitudes[rows[b, 2], 0, 0], &vectors[rows[b, 3], 0, 0, 0], far, f)
                for c in range(3):
                    out[b, iz, c].real = f[2 * c]
                    out[b, iz, c].imag = f[2 * c + 1]


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


def fill(
    Py_ssize_t b0, Py_ssize_t b1, Py_ssize_t z0, Py_ssize_t z1, Py_ssize_t x0, Py_ssize_t x1,
    const Py_ssize_t[:, ::1] rows, const double[::1] z, const double[:, ::1] interfaces,
    const double complex[:, ::1] kz, const double complex[:, :, ::1] amplitudes,
    const double complex[:, :, :, ::1] vectors, bint far, const double[::1] x,
    const double complex[::1] kx, number[:, :, :, ::1] out,
):
    cdef Py_ssize_t b, i, iz, n, start
    cdef double[6] f
    cdef double[COLUMNS] re
    cdef double[COLUMNS] im
    with nogil:
        for b in range(b0, b1):
            start = x0
            while start < x1:
                n = min(x1 - start, COLUMNS)
                for i in range(n):
                    _exp(kx[rows[b, 4]], x[start + i], &re[i], &im[i])
                for iz in range(z0, z1):
                    _plane(z[iz], interfaces.shape[1], &interfaces[rows[b, 0], 0],
                           &kz[rows[b, 1], 0], &amplitudes[rows[b, 2], 0, 0],
                           &vectors[rows[b, 3], 0, 0, 0], far, f)
                    if number is floatcomplex:
                        _outer[float](n, f, re, im, <float*> &out[b, iz, start, 0])
                    else:
                        _outer[double](n, f, re, im, <double*> &out[b, iz, start, 0])
                start += n
