/* The sums of one column for as many rows as a tile has: its lanes stay in two registers. */
#ifndef HOTLOOPS_LANES_H
#define HOTLOOPS_LANES_H

#include <stddef.h>

#include "vmath.h"

/* In a typedef of real: a vector of `width` of them, at any address. */
#ifdef __GNUC__
#define HL_VECTOR(real, width) \
  __attribute__((vector_size(width * sizeof(real)), aligned(sizeof(real)), may_alias))
#else /* vectors of one */
#define HL_VECTOR(real, width)
#endif

/* In a loop: GCC would take its products apart from its sums, which rounds some of them twice. */
#ifdef __GNUC__
#define HL_SCALAR_LOOP() __asm__("")
#else
#define HL_SCALAR_LOOP() ((void)0)
#endif

enum { HL_REAL, HL_COMPLEX, HL_BOOL };

#define HL_TILE 128 /* bytes of the numbers of a tile's rows */

/* y += the sum over count nonzeros of their value times the lanes at their place in the tile.
   The lanes of complex numbers are half a tile of real parts, then half of imaginary ones. A macro,
   for any type of number and of place: a quarter at a time, because GCC keeps longer vectors in
   memory where the CPU has none; or without vectors one element. */
#define HL_ADD_COLUMN(kind, count, values, places, first, tile, y)                                 \
  do {                                                                                             \
    typedef __typeof__(*(y)) hl_lane;                                                              \
    typedef hl_lane hl_lanes HL_VECTOR(hl_lane, (HL_TILE / 4 / sizeof(hl_lane)));                  \
    const ptrdiff_t part = HL_TILE / 4 / sizeof(hl_lane);                                          \
    for (ptrdiff_t w = 0; w < part; w += sizeof(hl_lanes) / sizeof(hl_lane)) {                     \
      hl_lanes a = *(hl_lanes *)((y) + w), b = *(hl_lanes *)((y) + part + w);                      \
      hl_lanes c = *(hl_lanes *)((y) + 2 * part + w), d = *(hl_lanes *)((y) + 3 * part + w);       \
      for (ptrdiff_t p = 0; p < (count); p++) {                                                    \
        const hl_lane *lanes = (tile) + ((places)[p] - (first)) * (4 * part) + w;                  \
        const hl_lanes s = *(const hl_lanes *)lanes, t = *(const hl_lanes *)(lanes + part);        \
        const hl_lanes u = *(const hl_lanes *)(lanes + 2 * part);                                  \
        const hl_lanes v = *(const hl_lanes *)(lanes + 3 * part);                                  \
        if ((kind) == HL_COMPLEX) {                                                                \
          a += (values)[2 * p] * s;                                                                \
          b += (values)[2 * p] * t;                                                                \
          c += (values)[2 * p] * u;                                                                \
          d += (values)[2 * p] * v;                                                                \
          a -= (values)[2 * p + 1] * u;                                                            \
          b -= (values)[2 * p + 1] * v;                                                            \
          c += (values)[2 * p + 1] * s;                                                            \
          d += (values)[2 * p + 1] * t;                                                            \
        } else if ((kind) == HL_BOOL) { /* a + x - a x is "or" of 0 and 1 */                       \
          a += (values)[p] * (s - a * s);                                                          \
          b += (values)[p] * (t - b * t);                                                          \
          c += (values)[p] * (u - c * u);                                                          \
          d += (values)[p] * (v - d * v);                                                          \
        } else {                                                                                   \
          a += (values)[p] * s;                                                                    \
          b += (values)[p] * t;                                                                    \
          c += (values)[p] * u;                                                                    \
          d += (values)[p] * v;                                                                    \
        }                                                                                          \
      }                                                                                            \
      *(hl_lanes *)((y) + w) = a;                                                                  \
      *(hl_lanes *)((y) + part + w) = b;                                                           \
      *(hl_lanes *)((y) + 2 * part + w) = c;                                                       \
      *(hl_lanes *)((y) + 3 * part + w) = d;                                                       \
    }                                                                                              \
  } while (0)

#endif
