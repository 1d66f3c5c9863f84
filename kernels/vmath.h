/* Functions that the compiler can inline into a loop and vectorise, and the choice of instructions.

   HL_CLONES before a function compiles it for several generations of x86-64; the loader picks the
   best for the CPU at hand. Elsewhere, and under a sanitizer, it is empty. */
#ifndef HOTLOOPS_VMATH_H
#define HOTLOOPS_VMATH_H

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) \
    && __GNUC__ >= 12 && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define HL_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#define HL_HAS_CLONES 1
#else
#define HL_CLONES
#define HL_HAS_CLONES 0
#endif

/* The level that HL_CLONES chose on this CPU, for a bug report. */
static inline const char *hl_simd_level(void) {
#if HL_HAS_CLONES
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4")) return "x86-64-v4";
  if (__builtin_cpu_supports("x86-64-v3")) return "x86-64-v3";
  return "x86-64 (default)";
#else
  return "compiler's target";
#endif
}

static inline double hl_double(uint64_t bits) { double x; memcpy(&x, &bits, 8); return x; }
static inline uint64_t hl_bits(double x) { uint64_t bits; memcpy(&bits, &x, 8); return bits; }
static inline float hl_float(uint32_t bits) { float x; memcpy(&x, &bits, 4); return x; }
static inline uint32_t hl_bitsf(float x) { uint32_t bits; memcpy(&bits, &x, 4); return bits; }

/* A function inlined whatever its size: called from an HL_CLONES function, it would otherwise be
   compiled for the oldest CPU. */
#ifdef __GNUC__
#define HL_INLINE __attribute__((always_inline))
#else
#define HL_INLINE
#endif

/* Have the line at an address fetched, wherever it lies. */
#ifdef __GNUC__
#define HL_PREFETCH(address) __builtin_prefetch(address)
#else
#define HL_PREFETCH(address) ((void)(address))
#endif

/* exp(x) = 2^n (1 + q) for -790 <= x <= 600: q, and n in the low bits of *t; NaN travels.
   n = round(x / ln 2), r = x - n ln 2, q = r + r^2 P(r), P minimax on |r| <= ln2 / 2.
   Adding 1.5 * 2^52 rounds to an integer and leaves it in the low bits, whence it is shifted into
   an exponent. */
static inline HL_INLINE double hl_exp_rest(double x, double *t) {
  const double shift = 0x1.8p52;
  *t = x * 0x1.71547652b82fep+0 + shift;
  double n = *t - shift;
  double r = (x - n * 0x1.62e42fefap-1) - n * 0x1.cf79abc9e3b3ap-40;
  double p = 2.500006162553128e-08;
  p = p * r + 2.763024838532302e-07;
  p = p * r + 2.755758637378518e-06;
  p = p * r + 2.480149309888739e-05;
  p = p * r + 0.00019841269506578723;
  p = p * r + 0.0013888888943630134;
  p = p * r + 0.008333333333494461;
  p = p * r + 0.041666666666530155;
  p = p * r + 0.16666666666666413;
  p = p * r + 0.5000000000000011;
  return p * (r * r) + r;
}

/* 2^128 exp(x) for x <= 600, within 1 ulp; NaN travels. A last factor of 2^-128 makes exp(x), and
   rounds a subnormal once. */
static inline double hl_exp_128(double x) {
  double t, q = hl_exp_rest(-790.0 > x ? -790.0 : x, &t);
  return (q + 1.0) * hl_double((hl_bits(t) << 52) + 0x47f0000000000000u);
}

/* exp(x) for x <= 600, within 1 ulp, through the subnormals to 0; NaN travels. */
static inline double hl_exp(double x) { return hl_exp_128(x) * 0x1p-128; }

/* exp(x) - 1 for x <= 600, within 2 ulp; NaN travels. */
static inline double hl_expm1(double x) {
  double t, q = hl_exp_rest(-40.0 > x ? -40.0 : x, &t);
  double power = hl_double((hl_bits(t) << 52) + 0x3ff0000000000000u);
  return power * q + (power - 1.0);
}

/* The largest angle of hl_sincos. */
#define HL_SINCOS_LIMIT 0x1p20

/* sin(x) and cos(x) for |x| <= HL_SINCOS_LIMIT, within 1.1 ulp, or 1e-31 at their zeros; NaN
   travels.
   n = round(x / (pi/2)), r + low = x - n pi/2 with pi/2 in three parts, of which n times the first
   two are exact; sin(r) = r + r^3 S(r^2), cos(r) = 1 - r^2/2 + r^4 C(r^2), S and C minimax on
   |r| <= pi/4. An odd n exchanges the two. */
static inline HL_INLINE void hl_sincos(double x, double *sine, double *cosine) {
  const double shift = 0x1.8p52;
  double t = x * 0x1.45f306dc9c883p-1 + shift, n = t - shift;
  double second = n * 0x1.0b4611a6p-34, third = n * 0x1.3198a2e037073p-69;
  double a = x - n * 0x1.921fb544p+0, b = a - second, c = b - a, r = b - third;
  double low = ((a - (b - c)) - (second + c)) + ((b - r) - third);
  double u = r * r, h = 0.5 * u, w = 1 - h;
  double p = 1.5917988979397435e-10;
  p = p * u - 2.5051129896450185e-08;
  p = p * u + 2.7557316093198404e-06;
  p = p * u - 0.00019841269836740532;
  p = p * u + 0.008333333333330936;
  p = p * u - 0.16666666666666666;
  double q = -1.138254464534925e-11;
  q = q * u + 2.087614504941318e-09;
  q = q * u - 2.755731726587808e-07;
  q = q * u + 2.48015872987544e-05;
  q = q * u - 0.0013888888888887389;
  q = q * u + 0.041666666666666664;
  p = r + (u * r * p + low * w);
  q = w + (((1 - w) - h) + (u * u * q - r * low));
  uint64_t quadrant = hl_bits(t);
  *sine = hl_double(hl_bits(quadrant & 1 ? q : p) ^ (quadrant & 2) << 62);
  *cosine = hl_double(hl_bits(quadrant & 1 ? p : q) ^ ((quadrant + 1) & 2) << 62);
}

/* The first bits of x: a product of two such numbers is exact if their bits are at most 53. */
static inline double hl_leading(double x, int bits) {
  return hl_double(hl_bits(x) >> (53 - bits) << (53 - bits));
}

/* x y - product, exactly, for a product = x y as rounded. */
static inline double hl_product_rest(double x, double y, double product) {
  double a = hl_leading(x, 26), b = hl_leading(y, 26);
  return ((a * b - product) + a * (y - b) + (x - a) * b) + (x - a) * (y - b);
}

/* k, and 2^-k, for x = 2^k m with m in [sqrt(1/2), sqrt(2)), |k| < 1000. */
static inline double hl_exponent(double x, double *scale) {
  uint64_t k = (hl_bits(x) - 0x0006a09e667f3bcdu) >> 52;  /* k + 1022 */
  *scale = hl_double((2045 - k) << 52);
  return hl_double(k | 0x4330000000000000u) - (0x1p52 + 1022);
}

/* The exponentials in single precision, with 2^64 for 2^128, for x <= 43. */
static inline HL_INLINE float hl_expf_rest(float x, float *t) {
  const float shift = 0x1.8p23f;
  *t = x * 0x1.715476p+0f + shift;
  float n = *t - shift;
  float r = (x - n * 0x1.62ep-1f) - n * 0x1.0bfbe8p-15f;
  float p = 0x1.6a2434p-10f;
  p = p * r + 0x1.1239e2p-7f;
  p = p * r + 0x1.5558f2p-5f;
  p = p * r + 0x1.555492p-3f;
  p = p * r + 0x1.fffffcp-2f;
  return p * (r * r) + r;
}

static inline float hl_expf(float x) {
  float t, q = hl_expf_rest(-110.0f > x ? -110.0f : x, &t);
  return (q + 1.0f) * hl_float((hl_bitsf(t) << 23) + 0x5f800000u) * 0x1p-64f;
}

static inline float hl_expm1f(float x) {
  float t, q = hl_expf_rest(-20.0f > x ? -20.0f : x, &t);
  float power = hl_float((hl_bitsf(t) << 23) + 0x3f800000u);
  return power * q + (power - 1.0f);
}

#endif
