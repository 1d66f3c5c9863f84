/* Small systems of linear equations, side by side in the lanes of vectors. */
#ifndef HOTLOOPS_SYSTEMS_H
#define HOTLOOPS_SYSTEMS_H

#include <math.h>
#include <stddef.h>

#include "vmath.h"

#ifdef __GNUC__
#define HL_RESTRICT __restrict__
#define HL_ROLLED _Pragma("GCC unroll 1") /* a loop is vectorised, its copies are not */
#else
#define HL_RESTRICT
#define HL_ROLLED
#endif
#define HL_LANES 16

#define HL_REAL float
#define HL_ABS fabsf
#define HL_NAME(name) hl_##name##_float
#include "solve/lanes.h"
#undef HL_REAL
#undef HL_ABS
#undef HL_NAME

#define HL_REAL double
#define HL_ABS fabs
#define HL_NAME(name) hl_##name##_double
#include "solve/lanes.h"
#undef HL_REAL
#undef HL_ABS
#undef HL_NAME

#endif
