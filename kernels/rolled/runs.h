/* Runs of products of small matrices, for the CPU at hand. */
#ifndef HOTLOOPS_RUNS_H
#define HOTLOOPS_RUNS_H

#include <stddef.h>
#include <stdint.h>

#include "vmath.h"

/* Of a tile: the most rows of sums, the most vectors in a row, and the most bytes of a vector. */
#define HL_MOST_ROWS 8
#define HL_MOST_VECTORS 2
#define HL_MOST_BYTES 64

/* Rows r0 to r1 of the products p0 to p1; `out` begins at the first of them. */
typedef struct { ptrdiff_t p0, p1, r0, r1, d, k, m, n, l; } hl_run;

#ifdef __GNUC__
#define HL_LANES(number, bytes) \
  ((ptrdiff_t)((bytes) > sizeof(number) ? (bytes) / sizeof(number) : 1))
#define HL_VECTOR(number, bytes)                                                                   \
  __attribute__((                                                                                  \
      vector_size(HL_LANES(number, bytes) * sizeof(number)), aligned(sizeof(number)), may_alias))
#define HL_UNROLL _Pragma("GCC unroll 16")
#define HL_RESTRICT __restrict__
#else /* vectors of one */
#define HL_LANES(number, bytes) 1
#define HL_VECTOR(number, bytes)
#define HL_UNROLL
#define HL_RESTRICT
#endif
#define HL_JOIN_(a, b) a##b
#define HL_JOIN(a, b) HL_JOIN_(a, b)

/* Not HL_CLONES: GCC takes vectors in inlined functions apart before it knows the clone's CPU, and
   does not put all of them together again. */
#if HL_HAS_CLONES
/* AVX-512DQ has a product of 64-bit integers, but three of 32 bits take half its time. */
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4,no-avx512dq")
#define HL_LEVEL(name) HL_JOIN(name, _v4)
#define HL_BYTES 64
#define HL_ROWS 8
#include "rolled/tiles.h"
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define HL_LEVEL(name) HL_JOIN(name, _v3)
#define HL_BYTES 32
#define HL_ROWS 4
#include "rolled/tiles.h"
#pragma GCC pop_options
#endif

#define HL_LEVEL(name) HL_JOIN(name, _any)
#define HL_BYTES 16
#define HL_ROWS 4
#include "rolled/tiles.h"

#if HL_HAS_CLONES
#define HL_BEST(name)                                                                              \
  (__builtin_cpu_supports("x86-64-v4") ? name##_v4                                                 \
   : __builtin_cpu_supports("x86-64-v3") ? name##_v3 : name##_any)
#else
#define HL_BEST(name) name##_any
#endif
#define HL_MULTIPLY(name, number)                                                                  \
  static inline void hl_multiply_##name(                                                           \
      const hl_run *run, const number *a, const number *b, number *out) {                          \
    HL_BEST(hl_run_##name)(run, a, b, out);                                                        \
  }

HL_MULTIPLY(float1, float)
HL_MULTIPLY(float2, float)
HL_MULTIPLY(double1, double)
HL_MULTIPLY(double2, double)
HL_MULTIPLY(uint81, uint8_t)
HL_MULTIPLY(uint161, uint16_t)
HL_MULTIPLY(uint321, uint32_t)
HL_MULTIPLY(uint641, uint64_t)
HL_MULTIPLY(bool1, uint8_t)

/* In place of numbers that are integers of less than `limit`, 2^51, those as int64. Adding 3 limit
   puts them into the low bits. */
static inline HL_INLINE void hl_to_integers(double *numbers, ptrdiff_t count, double limit) {
  const double shift = 3 * limit;
  for (ptrdiff_t w = 0; w < count; w++) {
    const uint64_t integer = hl_bits(numbers[w] + shift) - hl_bits(shift);
    memcpy(numbers + w, &integer, 8);
  }
}

#endif
