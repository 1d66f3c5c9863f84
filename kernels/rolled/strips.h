/* Products of small matrices with the sums in registers. */
#ifndef HOTLOOPS_STRIPS_H
#define HOTLOOPS_STRIPS_H

#include <stddef.h>

#include "vmath.h"

#ifdef __GNUC__
#define HL_VECTOR(real, width) \
  __attribute__((vector_size(width * sizeof(real)), aligned(sizeof(real)), may_alias))
#else /* vectors of one */
#define HL_VECTOR(real, width)
#endif

/* out (m, l) = a (m, n) @ b (n, l) for l >= width, in strips of columns as wide as a vector, four
   rows at a time. A last strip that would be narrower overlaps the one before it. */
#define HL_STRIPS(real, width)                                                                     \
  static inline HL_INLINE void hl_strips_##real##width(                                            \
      ptrdiff_t m, ptrdiff_t n, ptrdiff_t l, const real *a, const real *b, real *out) {            \
    typedef real vector HL_VECTOR(real, width);                                                    \
    const ptrdiff_t step = sizeof(vector) / sizeof(real);                                          \
    for (ptrdiff_t w = 0; w < l; w += step) {                                                      \
      ptrdiff_t i = 0, c = w + step <= l ? w : l - step;                                           \
      for (; i + 4 <= m; i += 4) {                                                                 \
        const real *x = a + i * n;                                                                 \
        vector s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};                                             \
        for (ptrdiff_t q = 0; q < n; q++) {                                                        \
          const vector y = *(const vector *)(b + q * l + c);                                       \
          s0 += x[q] * y;                                                                          \
          s1 += x[n + q] * y;                                                                      \
          s2 += x[2 * n + q] * y;                                                                  \
          s3 += x[3 * n + q] * y;                                                                  \
        }                                                                                          \
        *(vector *)(out + i * l + c) = s0;                                                         \
        *(vector *)(out + (i + 1) * l + c) = s1;                                                   \
        *(vector *)(out + (i + 2) * l + c) = s2;                                                   \
        *(vector *)(out + (i + 3) * l + c) = s3;                                                   \
      }                                                                                            \
      for (; i < m; i++) {                                                                         \
        vector s = {0};                                                                            \
        for (ptrdiff_t q = 0; q < n; q++) s += a[i * n + q] * *(const vector *)(b + q * l + c);    \
        *(vector *)(out + i * l + c) = s;                                                          \
      }                                                                                            \
    }                                                                                              \
  }

#define HL_PRODUCT(real)                                                                           \
  HL_STRIPS(real, 1)                                                                               \
  HL_STRIPS(real, 2)                                                                               \
  HL_STRIPS(real, 4)                                                                               \
  HL_STRIPS(real, 8)                                                                               \
  static inline HL_INLINE void hl_product_##real(                                                  \
      ptrdiff_t m, ptrdiff_t n, ptrdiff_t l, const real *a, const real *b, real *out) {            \
    if (l >= 8) hl_strips_##real##8(m, n, l, a, b, out);                                           \
    else if (l >= 4) hl_strips_##real##4(m, n, l, a, b, out);                                      \
    else if (l >= 2) hl_strips_##real##2(m, n, l, a, b, out);                                      \
    else hl_strips_##real##1(m, n, l, a, b, out);                                                  \
  }

HL_PRODUCT(float)
HL_PRODUCT(double)

#endif
