/* The two waves of a field in a stack of layers, at many planes. _waves_numba.py has the same.

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
/* Points in no order go by bunches of up to HL_BUNCH, each bunch layer by layer. */
#define HL_BUNCH 512
/* So few interfaces are compared with every plane. */
#define HL_FEW 64

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

/* Where to stop with planes [start, stop) of one layer, of n: few are not worth a group, but the
   last ones fill it. */
static inline HL_INLINE ptrdiff_t hl_end(ptrdiff_t start, ptrdiff_t stop, ptrdiff_t n) {
  return stop < n && stop - start < HL_GROUP / 2 ? stop : hl_groups(start, stop);
}

/* layer[i] = the number of interfaces <= z[i], of count >= 1 ascending ones: of a few each is
   compared with a group of planes, which stays in registers; many are halved. */
static inline HL_INLINE void hl_search(
    ptrdiff_t n, const double *z, ptrdiff_t count, const double *interfaces, ptrdiff_t *layer) {
  ptrdiff_t done = count <= HL_FEW ? n / HL_GROUP * HL_GROUP : 0;
  for (ptrdiff_t i = 0; i < done; i += HL_GROUP) {
    int64_t below[HL_GROUP] = {0};
    for (ptrdiff_t m = 0; m < count; m++)
      for (int j = 0; j < HL_GROUP; j++) below[j] += interfaces[m] <= z[i + j];
    for (int j = 0; j < HL_GROUP; j++) layer[i + j] = below[j];
  }
  for (ptrdiff_t i = done; i < n; i++) layer[i] = 0;
  for (ptrdiff_t rest = count, half; rest; rest -= half) {
    half = (rest + 1) / 2;
    for (ptrdiff_t i = done; i < n; i++)
      layer[i] += interfaces[layer[i] + half - 1] <= z[i] ? half : 0;
  }
}

/* The same, faster where neighbours are in one layer. */
static inline HL_INLINE void hl_layers(
    ptrdiff_t n, const double *z, ptrdiff_t count, const double *interfaces, ptrdiff_t *layer) {
  double lower = 0, upper = 0; /* no z is between */
  ptrdiff_t i = 0, m = 0;
  for (ptrdiff_t searches = 0; i < n; i++) {
    if (!(lower <= z[i] && z[i] < upper)) {
      if (16 * searches++ > n) break;
      hl_search(1, z + i, count, interfaces, &m);
      lower = m > 0 ? interfaces[m - 1] : -INFINITY;
      upper = m < count ? interfaces[m] : INFINITY;
    }
    layer[i] = m;
  }
  hl_search(n - i, z + i, count, interfaces, layer + i);
}

/* Places of n <= HL_BUNCH points, such that those of one layer are neighbours: where they are, if
   most neighbours share a layer already, or layers are too many to be shared. */
static HL_CLONES void hl_by_layer(
    ptrdiff_t n, const double *z, ptrdiff_t count, const double *interfaces, ptrdiff_t *place) {
  ptrdiff_t layer[HL_BUNCH], next[HL_BUNCH] = {0}, changes = 0;
  for (ptrdiff_t i = 0; i < n; i++) place[i] = i;
  if (count >= HL_BUNCH) return;
  hl_search(n, z, count, interfaces, layer);
  for (ptrdiff_t i = 1; i < n; i++) changes += layer[i] != layer[i - 1];
  if (HL_GROUP * changes <= n) return;
  for (ptrdiff_t i = 0; i < n; i++) next[layer[i]]++;
  for (ptrdiff_t m = 0, before = 0, here; m <= count; m++, before += here) {
    here = next[m];
    next[m] = before;
  }
  for (ptrdiff_t i = 0; i < n; i++) place[i] = next[layer[i]]++;
}

/* re + i im = exp(decay + i angle) for n numbers, n a multiple of HL_GROUP; no decay: 0. */
static inline HL_INLINE void hl_cis(
    ptrdiff_t n, const double *decay, const double *angle, double *re, double *im) {
  ptrdiff_t beyond = 0;
  for (ptrdiff_t i = 0; i < n; i++) {
    double size = decay ? hl_exp(decay[i]) : 1, sine, cosine;
    hl_sincos(angle[i], &sine, &cosine);
    re[i] = size * cosine;
    im[i] = size * sine;
    beyond += !(fabs(angle[i]) <= HL_SINCOS_LIMIT && (!decay || decay[i] <= 600));
  }
  for (ptrdiff_t i = 0; beyond && i < n; i++) {
    if (!(fabs(angle[i]) <= HL_SINCOS_LIMIT && (!decay || decay[i] <= 600))) {
      double size = decay ? exp(decay[i]) : 1;
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
  if (k[1] == 0)
    hl_cis(hl_groups(0, n), NULL, angle, re, im);
  else
    hl_cis(hl_groups(0, n), decay, angle, re, im);
}

/* The waves at n <= HL_STRIP planes z of the field with `count` interfaces, count + 1 pairs of real
   and imaginary parts in kz, and as many twice in amplitudes. */
static HL_CLONES void hl_waves_at(
    ptrdiff_t n, const double *z, ptrdiff_t count, const double *interfaces, const double *kz,
    const double *amplitudes, int far, hl_waves *waves) {
  double planes[HL_PADDED], decay[2][HL_PADDED], angle[2][HL_PADDED];
  double a_re[2][HL_PADDED], a_im[2][HL_PADDED];
  const ptrdiff_t padded = hl_groups(0, n);
  hl_layers(n, z, count, interfaces, waves->layer);
  for (ptrdiff_t i = 0; i < n + HL_GROUP; i++) planes[i] = z[i < n ? i : n - 1];
  for (ptrdiff_t start = 0, stop; start < n; start = stop) {
    const ptrdiff_t m = waves->layer[start];
    const double *k = kz + 2 * m, *a = amplitudes + 4 * m;
    const double f_re = a[0], f_im = a[1], b_re = a[2], b_im = a[3];
    const double f = f_re != 0 || f_im != 0, b = b_re != 0 || b_im != 0; /* 0: absent */
    const double kf_re = f ? k[0] : 0, kf_im = f ? -k[1] : 0;
    const double kb_re = b ? k[0] : 0, kb_im = b ? -k[1] : 0;
    const double near = interfaces[m > 0 ? m - 1 : 0];
    const double back = far ? interfaces[m < count ? m : count - 1] : near;
    stop = hl_run(start, n, waves->layer);
    for (ptrdiff_t i = start, end = hl_end(start, stop, n); i < end; i++) {
      double path = planes[i] - near;
      decay[0][i] = kf_im * path;
      angle[0][i] = kf_re * path;
      a_re[0][i] = f_re;
      a_im[0][i] = f_im;
      path = back - planes[i];
      decay[1][i] = kb_im * path;
      angle[1][i] = kb_re * path;
      a_re[1][i] = b_re;
      a_im[1][i] = b_im;
    }
  }
  for (int backward = 0; backward < 2; backward++) {
    double *re = backward ? waves->backward_re : waves->forward_re;
    double *im = backward ? waves->backward_im : waves->forward_im;
    hl_cis(padded, decay[backward], angle[backward], re, im);
    for (ptrdiff_t i = 0; i < padded; i++) {
      double x = re[i], y = im[i];
      re[i] = a_re[backward][i] * x - a_im[backward][i] * y;
      im[i] = a_re[backward][i] * y + a_im[backward][i] * x;
    }
  }
}

#endif
