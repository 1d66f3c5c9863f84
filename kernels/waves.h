/* The two waves of a field in a stack of layers, at many planes. waves_numba.py has the same.

   forward = a[n, 0] exp(i kz[n] (z - near)), backward = a[n, 1] exp(i kz[n] (back - z)), where
   n = the number of interfaces <= z, near = interfaces[n-1] (interfaces[0] for n = 0), and back is
   the same or, with `far`, interfaces[n] (the last one for the last n). A wave of amplitude 0 is
   absent: it is 0 whatever kz is. Where z is not finite both are NaN. */
#ifndef HOTLOOPS_WAVES_H
#define HOTLOOPS_WAVES_H

#include <math.h>
#include <stddef.h>

#include "vmath.h"

/* Planes go by strips of up to HL_STRIP, planes of one layer by whole groups of HL_GROUP: what a
   last group is too long by, the next layer's planes write over. Strips have HL_PADDED places. */
#define HL_STRIP 128
#define HL_GROUP 8
#define HL_PADDED (HL_STRIP + HL_GROUP)

typedef struct {
  ptrdiff_t layer[HL_STRIP];
  double forward_re[HL_PADDED], forward_im[HL_PADDED];
  double backward_re[HL_PADDED], backward_im[HL_PADDED];
} hl_waves;

/* The end of the groups that planes [start, stop) fill. */
static inline HL_INLINE ptrdiff_t hl_groups(ptrdiff_t start, ptrdiff_t stop) {
  return start + (stop - start + HL_GROUP - 1) / HL_GROUP * HL_GROUP;
}

/* The first plane after `start` that is in another layer, at most n. */
static inline HL_INLINE ptrdiff_t hl_run(ptrdiff_t start, ptrdiff_t n, const ptrdiff_t *layer) {
  ptrdiff_t stop = start + 1;
  while (stop < n && layer[stop] == layer[start]) stop++;
  return stop;
}

/* layer[i] = the number of interfaces <= z[i], of count >= 1 ascending ones. */
static inline HL_INLINE void hl_layers(
    ptrdiff_t n, const double *z, ptrdiff_t count, const double *interfaces, ptrdiff_t *layer) {
  double lower = 0, upper = 0; /* no z is between */
  ptrdiff_t m = 0;
  for (ptrdiff_t i = 0; i < n; i++) {
    if (!(lower <= z[i] && z[i] < upper)) { /* in another layer than the plane before */
      m = 0;
      for (ptrdiff_t rest = count; rest; ) {
        ptrdiff_t half = (rest + 1) / 2;
        m += interfaces[m + half - 1] <= z[i] ? half : 0;
        rest -= half;
      }
      lower = m > 0 ? interfaces[m - 1] : -INFINITY;
      upper = m < count ? interfaces[m] : INFINITY;
    }
    layer[i] = m;
  }
}

/* re + i im = exp(decay + i angle) for n numbers, n a multiple of HL_GROUP. */
static inline HL_INLINE void hl_cis(
    ptrdiff_t n, const double *decay, const double *angle, double *re, double *im) {
  ptrdiff_t beyond = 0;
  for (ptrdiff_t i = 0; i < n; i++) {
    double size = hl_exp(decay[i]), sine, cosine;
    hl_sincos(angle[i], &sine, &cosine);
    re[i] = size * cosine;
    im[i] = size * sine;
    beyond += !(decay[i] <= 600 && fabs(angle[i]) <= HL_SINCOS_LIMIT);
  }
  for (ptrdiff_t i = 0; beyond && i < n; i++) {
    if (!(decay[i] <= 600 && fabs(angle[i]) <= HL_SINCOS_LIMIT)) {
      double size = exp(decay[i]);
      re[i] = size * cos(angle[i]);
      im[i] = size * sin(angle[i]);
    }
  }
}

/* exp(i k path) for n <= HL_STRIP paths, into HL_PADDED places. */
static HL_CLONES void hl_phases(
    ptrdiff_t n, const double *k, const double *path, double *re, double *im) {
  double decay[HL_PADDED], angle[HL_PADDED];
  for (ptrdiff_t i = 0; i < n; i++) {
    decay[i] = -k[1] * path[i];
    angle[i] = k[0] * path[i];
  }
  for (ptrdiff_t i = n; i < n + HL_GROUP; i++) decay[i] = angle[i] = 0;
  hl_cis(hl_groups(0, n), decay, angle, re, im);
}

/* The waves at n <= HL_STRIP planes z of the field with `count` interfaces, count + 1 pairs of real
   and imaginary parts in kz, and as many twice in amplitudes. */
static HL_CLONES void hl_waves_at(
    ptrdiff_t n, const double *z, ptrdiff_t count, const double *interfaces, const double *kz,
    const double *amplitudes, int far, hl_waves *waves) {
  double planes[HL_PADDED], decay[HL_PADDED], angle[HL_PADDED], a_re[HL_PADDED], a_im[HL_PADDED];
  const ptrdiff_t *layer = waves->layer, padded = hl_groups(0, n);
  hl_layers(n, z, count, interfaces, waves->layer);
  for (ptrdiff_t i = 0; i < n + HL_GROUP; i++) planes[i] = z[i < n ? i : n - 1];
  for (int backward = 0; backward < 2; backward++) {
    double *re = backward ? waves->backward_re : waves->forward_re;
    double *im = backward ? waves->backward_im : waves->forward_im;
    for (ptrdiff_t start = 0, stop; start < n; start = stop) {
      ptrdiff_t m = layer[start], near = m > 0 ? m - 1 : 0;
      ptrdiff_t plane = backward && far ? (m < count ? m : count - 1) : near;
      const double *a = amplitudes + 4 * m + 2 * backward;
      double sign = backward ? -1 : 1, present = a[0] != 0 || a[1] != 0;
      double k_re = present ? kz[2 * m] : 0, k_im = present ? kz[2 * m + 1] : 0;
      double reference = interfaces[plane], x = a[0], y = a[1];
      stop = hl_run(start, n, layer);
      for (ptrdiff_t i = start, end = hl_groups(start, stop); i < end; i++) {
        double path = sign * (planes[i] - reference);
        decay[i] = -k_im * path;
        angle[i] = k_re * path;
        a_re[i] = x;
        a_im[i] = y;
      }
    }
    hl_cis(padded, decay, angle, re, im);
    for (ptrdiff_t i = 0; i < padded; i++) {
      double x = re[i], y = im[i];
      re[i] = a_re[i] * x - a_im[i] * y;
      im[i] = a_re[i] * y + a_im[i] * x;
    }
  }
}

#endif
