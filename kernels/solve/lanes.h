/* Elimination of small systems, HL_LANES of them side by side, in numbers of the type HL_REAL.
   HL_NAME(name) is a name of its own; systems.h includes this file for each type.

   A number is `parts` vectors of lanes: 1, or the real parts and then the imaginary ones. A row
   has `width` numbers: n of A, then those of b, which become those of x. */

#define HL_EACH HL_ROLLED for (ptrdiff_t w = 0; w < HL_LANES; w++)
#define HL_AT(i, j) (rows + ((i) * width + (j)) * parts * HL_LANES)

/* x -= y z, or y conj(z) for sign = -1. */
static inline HL_INLINE void HL_NAME(less)(
    const ptrdiff_t parts, const HL_REAL sign, HL_REAL *HL_RESTRICT x, const HL_REAL *HL_RESTRICT y,
    const HL_REAL *HL_RESTRICT z) {
  if (parts == 1) {
    HL_EACH x[w] -= y[w] * z[w];
    return;
  }
  HL_EACH {
    const HL_REAL re = z[w], im = sign * z[HL_LANES + w];
    x[w] = x[w] - y[w] * re + y[HL_LANES + w] * im;
    x[HL_LANES + w] = x[HL_LANES + w] - y[w] * im - y[HL_LANES + w] * re;
  }
}

/* q = x / y; of complex numbers by the ratio of the smaller part of y to the larger one, so that
   its square is not formed. */
static inline HL_INLINE void HL_NAME(over)(
    const ptrdiff_t parts, HL_REAL *HL_RESTRICT q, const HL_REAL *HL_RESTRICT x,
    const HL_REAL *HL_RESTRICT y) {
  if (parts == 1) {
    HL_EACH q[w] = x[w] / y[w];
    return;
  }
  HL_EACH {
    const HL_REAL re = y[w], im = y[HL_LANES + w], a = x[w], b = x[HL_LANES + w];
    const int real = HL_ABS(re) >= HL_ABS(im);
    const HL_REAL large = real ? re : im, ratio = (real ? im : re) / large;
    const HL_REAL first = real ? a : b, second = real ? b : a;
    const HL_REAL size = large + (real ? im : re) * ratio, turned = second - first * ratio;
    q[w] = (first + second * ratio) / size;
    q[HL_LANES + w] = (real ? turned : -turned) / size;
  }
}

/* Exchanges row k with the pivot's, from column k on. The pivot is the column's largest number, in
   LAPACK's measure |re| + |im|. A branch for rows that stay would often be guessed wrong. */
static inline HL_INLINE void HL_NAME(exchange)(
    const ptrdiff_t parts, ptrdiff_t n, ptrdiff_t width, ptrdiff_t k, HL_REAL *HL_RESTRICT rows) {
  HL_REAL largest[HL_LANES], place[HL_LANES];
  HL_EACH { largest[w] = -1; place[w] = (HL_REAL)k; }
  for (ptrdiff_t i = k; i < n; i++) {
    const HL_REAL *x = HL_AT(i, k), row = (HL_REAL)i;
    HL_EACH {
      const HL_REAL size = HL_ABS(x[w]) + (parts == 2 ? HL_ABS(x[HL_LANES + w]) : 0);
      const int larger = size > largest[w];
      largest[w] = larger ? size : largest[w];
      place[w] = larger ? row : place[w];
    }
  }
  for (ptrdiff_t w = 0; w < HL_LANES; w++) {
    HL_REAL *x = HL_AT(k, k) + w, *y = HL_AT((ptrdiff_t)place[w], k) + w;
    for (ptrdiff_t j = 0; j < (width - k) * parts * HL_LANES; j += HL_LANES) {
      const HL_REAL other = x[j];
      x[j] = y[j];
      y[j] = other;
    }
  }
}

/* A = P L U and x = U^-1 L^-1 P^T b; failed: 1 where a pivot is 0. */
static inline HL_INLINE void HL_NAME(general)(
    const ptrdiff_t parts, ptrdiff_t n, ptrdiff_t width, HL_REAL *HL_RESTRICT rows,
    HL_REAL *HL_RESTRICT failed) {
  HL_REAL factor[2 * HL_LANES];
  for (ptrdiff_t k = 0; k < n; k++) {
    HL_NAME(exchange)(parts, n, width, k, rows);
    const HL_REAL *pivot = HL_AT(k, k);
    HL_EACH {
      const int none = pivot[w] == 0 && (parts == 1 || pivot[HL_LANES + w] == 0);
      failed[w] = none ? 1 : failed[w];
    }
    for (ptrdiff_t i = k + 1; i < n; i++) {
      HL_NAME(over)(parts, factor, HL_AT(i, k), pivot);
      for (ptrdiff_t j = k + 1; j < width; j++)
        HL_NAME(less)(parts, 1, HL_AT(i, j), factor, HL_AT(k, j));
    }
  }
  for (ptrdiff_t k = n - 1; k >= 0; k--)
    for (ptrdiff_t j = n; j < width; j++) {
      HL_REAL *x = HL_AT(k, j);
      HL_NAME(over)(parts, factor, x, HL_AT(k, k));
      memcpy(x, factor, parts * HL_LANES * sizeof(HL_REAL));
      for (ptrdiff_t i = 0; i < k; i++) HL_NAME(less)(parts, 1, HL_AT(i, j), HL_AT(i, k), x);
    }
}

/* A = L D L^H from its lower triangle and x = L^-H D^-1 L^-1 b; failed: 1 where D is not
   positive. */
static inline HL_INLINE void HL_NAME(positive)(
    const ptrdiff_t parts, ptrdiff_t n, ptrdiff_t width, HL_REAL *HL_RESTRICT rows,
    HL_REAL *HL_RESTRICT failed) {
  HL_REAL factor[2 * HL_LANES];
  for (ptrdiff_t k = 0; k < n; k++) {
    HL_REAL *pivot = HL_AT(k, k);
    HL_EACH failed[w] = pivot[w] > 0 ? failed[w] : 1;
    if (parts == 2) HL_EACH pivot[HL_LANES + w] = 0;
    /* upwards: the column is needed as it was for the rows above */
    for (ptrdiff_t i = n - 1; i > k; i--) {
      for (ptrdiff_t part = 0; part < parts; part++)
        HL_EACH factor[part * HL_LANES + w] = HL_AT(i, k)[part * HL_LANES + w] / pivot[w];
      for (ptrdiff_t j = k + 1; j <= i; j++)
        HL_NAME(less)(parts, -1, HL_AT(i, j), factor, HL_AT(j, k));
      for (ptrdiff_t j = n; j < width; j++)
        HL_NAME(less)(parts, 1, HL_AT(i, j), factor, HL_AT(k, j));
      memcpy(HL_AT(i, k), factor, parts * HL_LANES * sizeof(HL_REAL));
    }
    for (ptrdiff_t j = n; j < width; j++)
      for (ptrdiff_t part = 0; part < parts; part++)
        HL_EACH HL_AT(k, j)[part * HL_LANES + w] /= pivot[w];
  }
  for (ptrdiff_t k = n - 1; k > 0; k--)
    for (ptrdiff_t j = n; j < width; j++)
      for (ptrdiff_t i = 0; i < k; i++)
        HL_NAME(less)(parts, -1, HL_AT(i, j), HL_AT(k, j), HL_AT(k, i));
}

/* `count` systems of a (n, n) each and b (n, columns), up to HL_LANES: the last fills the lanes
   left over. x is NaN where the system failed, and where A is not finite, which is no failure. */
static inline HL_INLINE void HL_NAME(solve)(
    const ptrdiff_t parts, const int positive, ptrdiff_t n, ptrdiff_t columns, ptrdiff_t count,
    const HL_REAL *a, const HL_REAL *b, HL_REAL *x, unsigned char *failures,
    HL_REAL *HL_RESTRICT rows) {
  const ptrdiff_t width = n + columns;
  HL_REAL nothing[HL_LANES] = {0}, failed[HL_LANES] = {0};
  ptrdiff_t system[HL_LANES];
  HL_EACH system[w] = w < count ? w : count - 1;
  for (ptrdiff_t i = 0; i < n; i++) {
    const ptrdiff_t end = positive ? i + 1 : n;
    for (ptrdiff_t j = 0; j < end * parts; j++) {
      HL_REAL *to = HL_AT(i, j / parts) + j % parts * HL_LANES;
      HL_EACH to[w] = a[(system[w] * n + i) * n * parts + j];
      HL_EACH nothing[w] += 0 * to[w];
    }
    for (ptrdiff_t j = 0; j < columns * parts; j++) {
      HL_REAL *to = HL_AT(i, n + j / parts) + j % parts * HL_LANES;
      HL_EACH to[w] = b[(system[w] * n + i) * columns * parts + j];
    }
  }
  if (positive) HL_NAME(positive)(parts, n, width, rows, failed);
  else HL_NAME(general)(parts, n, width, rows, failed);
  for (ptrdiff_t w = 0; w < count; w++) {
    failures[w] = failed[w] != 0 && nothing[w] == 0;
    const int lost = failed[w] != 0 || nothing[w] != 0;
    for (ptrdiff_t i = 0; i < n; i++)
      for (ptrdiff_t j = 0; j < columns * parts; j++)
        x[(w * n + i) * columns * parts + j] =
            lost ? (HL_REAL)NAN : HL_AT(i, n + j / parts)[j % parts * HL_LANES + w];
  }
}

#undef HL_EACH
#undef HL_AT
