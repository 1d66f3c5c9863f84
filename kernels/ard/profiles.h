/* What the profiles of pairs need beside an exponential, each in double precision. */
#ifndef HOTLOOPS_PROFILES_H
#define HOTLOOPS_PROFILES_H

#include <float.h>
#include <math.h>

#include "vmath.h"

/* In a loop over loops that add up in registers: GCC would jam two rounds of the outer one and add up
   in memory. */
#ifdef __GNUC__
#define HL_APART() __asm__ volatile("")
#else
#define HL_APART() ((void)0)
#endif

#define HL_LOG2 0.6931471805599453
/* log 8 as a sum: n times the first is exact. */
#define HL_LOG8 2.079441541678534
#define HL_LOG8_LOW 1.3018060677774115e-12

/* sqrt(c q) = *root + *low for c = 1, 3 or 5: (c - 1) q is exact. */
static inline HL_INLINE void hl_root(double c, double q, double *root, double *low) {
  q = 1e6 < q ? 1e6 : q;  /* where the profiles are 0 */
  double high = (c - 1) * q + q;
  double rest = ((c - 1) * q - high) + q;
  double r = sqrt(high);
  rest += (high - r * r) - hl_product_rest(r, r, r * r);
  *root = r;
  *low = rest / (2 * r + 1e-300);
}

/* *p = s^-alpha = exp(-alpha / 3 log s^3), s = 1 + q / 2 alpha, 2 alpha = 2^power part; and its
   derivatives by q and alpha. */
static inline HL_INLINE void hl_rational(double alpha, double part, double power, double q,
                                         double *p, double *slope, double *by_alpha) {
  /* s = (unit + t + low) / unit, t of 26 bits; with `scale` no quotient leaves the range */
  double scale = q < 1 ? 0x1p256 : 0x1p-256;
  double unit = scale * (2 * alpha / part);
  double x = scale * (q > DBL_MAX ? DBL_MAX : q);
  double t = hl_leading(x * (1 / part), 26);
  double low = ((x - t * hl_leading(part, 26)) - t * (part - hl_leading(part, 26))) * (1 / part);
  /* s = 2^n (1 + f + low), 1 + f in [sqrt(1/2), sqrt(2)], c = 2^-n; f has 30 bits */
  double c, n = hl_exponent(unit + t, &c) - (q < 1 ? power + 256 : power - 256);
  t *= c;
  low *= c;
  c *= unit;
  double head = (c + 0x1p22) - 0x1p22;
  double f = t + (head - 1);
  low += c - head;
  /* y = z + dz = (f + low) / (2 + f + low); z has 17 bits: z^3 is exact */
  double inverse = 1 / (2 + (f + low));
  double z = hl_leading(f * inverse, 17);
  double dz = (((f - 2 * z) - z * f) + (1 - z) * low) * inverse;
  double y = z + dz;
  double u = y * y;
  /* log s^3 = n log 8 + 6 y + 2 y^3 + y^5 series = log + rest; log has 26 bits */
  double series = 6.0 / 27;
  series = series * u + 6.0 / 25;
  series = series * u + 6.0 / 23;
  series = series * u + 6.0 / 21;
  series = series * u + 6.0 / 19;
  series = series * u + 6.0 / 17;
  series = series * u + 6.0 / 15;
  series = series * u + 6.0 / 13;
  series = series * u + 6.0 / 11;
  series = series * u + 6.0 / 9;
  series = series * u + 6.0 / 7;
  series = series * u + 6.0 / 5;
  double cube = z * z * z;
  double rest = n * HL_LOG8_LOW + 6 * dz + 2 * dz * (3 * z * y + dz * dz) + y * (u * u) * series;
  double log = hl_leading(n * HL_LOG8 + 6 * z + 2 * cube, 26);
  rest += ((n * HL_LOG8 - log) + 6 * z) + 2 * cube;
  /* e + low = alpha / 3 log s^3 */
  double third = hl_leading(alpha / 3, 26);
  rest = (alpha - 3 * third) / 3 * log + alpha / 3 * rest;
  double e = third * log + rest;
  low = (third * log - e) + rest;
  double k = hl_exp_128(-e) * (1 - low) * 0x1p-128;
  k = e > 760 ? 0 : k;
  k = q == INFINITY ? 0 : k;
  *p = k;
  *slope = -k * (alpha / (2 * alpha + q));
  /* log s - (s - 1) / s */
  *by_alpha = -k * (n * HL_LOG2 + y * u * (2.0 / 3 + u * series / 3)
                    + (2 * u + (c - 1) * (1 - y)) / (1 + y));
}

#endif
