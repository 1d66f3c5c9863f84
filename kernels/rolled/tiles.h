/* Products of small matrices for one generation of CPUs: HL_LEVEL(name) is a name of its own,
   HL_BYTES the length of its vectors, HL_ROWS the rows of a tile of two vectors that its registers
   hold. runs.h includes this file for each. */

#if HL_ROWS > HL_MOST_ROWS || HL_BYTES > HL_MOST_BYTES
#error "a tile must not have more rows or bytes than there is room for"
#endif

/* out (m, l) = a (m, n) @ b (n, l), tile by tile. A tile has `rows` by `vectors` sums, each in one
   register; a last one that would stand out overlaps the one before it. A row of complex numbers,
   `parts` = 2, has two rows of sums: the real parts of a times b, and the imaginary ones times b;
   l counts reals. */
#define HL_TILES(name, number, bytes, ADD)                                                         \
  static inline HL_INLINE void HL_LEVEL(hl_tile_##name##_##bytes)(                                 \
      const ptrdiff_t rows, const ptrdiff_t vectors, const ptrdiff_t parts, ptrdiff_t n,           \
      ptrdiff_t l, const number *HL_RESTRICT a, const number *HL_RESTRICT b,                       \
      number *HL_RESTRICT out) {                                                                   \
    typedef number vector HL_VECTOR(number, bytes);                                                \
    const ptrdiff_t lanes = HL_LANES(number, bytes);                                               \
    vector sums[HL_MOST_ROWS][HL_MOST_VECTORS], y[HL_MOST_VECTORS];                                \
    HL_UNROLL for (ptrdiff_t r = 0; r < rows; r++)                                                 \
      HL_UNROLL for (ptrdiff_t v = 0; v < vectors; v++) sums[r][v] = (vector){0};                  \
    for (ptrdiff_t q = 0; q < n; q++) {                                                            \
      HL_UNROLL for (ptrdiff_t v = 0; v < vectors; v++)                                            \
        y[v] = *(const vector *)(b + q * l + v * lanes);                                           \
      HL_UNROLL for (ptrdiff_t r = 0; r < rows; r++) {                                             \
        const number x = a[(r / parts * n + q) * parts + r % parts];                               \
        HL_UNROLL for (ptrdiff_t v = 0; v < vectors; v++) ADD(sums[r][v], x, y[v]);                \
      }                                                                                            \
    }                                                                                              \
    if (parts == 1) {                                                                              \
      HL_UNROLL for (ptrdiff_t r = 0; r < rows; r++)                                               \
        HL_UNROLL for (ptrdiff_t v = 0; v < vectors; v++)                                          \
          *(vector *)(out + r * l + v * lanes) = sums[r][v];                                       \
      return;                                                                                      \
    }                                                                                              \
    HL_UNROLL for (ptrdiff_t r = 0; r < rows; r += 2) {                                            \
      number re[HL_MOST_VECTORS * HL_MOST_BYTES / sizeof(number)];                                 \
      number im[HL_MOST_VECTORS * HL_MOST_BYTES / sizeof(number)];                                 \
      HL_UNROLL for (ptrdiff_t v = 0; v < vectors; v++) {                                          \
        *(vector *)(re + v * lanes) = sums[r][v];                                                  \
        *(vector *)(im + v * lanes) = sums[r + 1][v];                                              \
      }                                                                                            \
      for (ptrdiff_t w = 0; w < vectors * lanes; w += 2) {                                         \
        out[r / 2 * l + w] = re[w] - im[w + 1];                                                    \
        out[r / 2 * l + w + 1] = re[w + 1] + im[w];                                                \
      }                                                                                            \
    }                                                                                              \
  }                                                                                                \
  static inline HL_INLINE void HL_LEVEL(hl_tiles_##name##_##bytes)(                                \
      const ptrdiff_t rows, const ptrdiff_t vectors, const ptrdiff_t parts, ptrdiff_t m,           \
      ptrdiff_t n, ptrdiff_t l, const number *a, const number *b, number *out) {                   \
    const ptrdiff_t wide = vectors * HL_LANES(number, bytes), high = rows / parts;                 \
    for (ptrdiff_t w = 0; w < l; w += wide) {                                                      \
      const ptrdiff_t c = w + wide <= l ? w : l - wide;                                            \
      for (ptrdiff_t i = 0; i < m; i += high) {                                                    \
        const ptrdiff_t r = i + high <= m ? i : m - high;                                          \
        HL_LEVEL(hl_tile_##name##_##bytes)(                                                        \
            rows, vectors, parts, n, l, a + r * n * parts, b + c, out + r * l + c);                \
      }                                                                                            \
    }                                                                                              \
  }                                                                                                \
  static inline HL_INLINE void HL_LEVEL(hl_strips_##name##_##bytes)(                               \
      const ptrdiff_t rows, const ptrdiff_t vectors, const ptrdiff_t parts, ptrdiff_t m,           \
      ptrdiff_t n, ptrdiff_t l, const number *a, const number *b, number *out) {                   \
    if (rows)                                                                                      \
      HL_LEVEL(hl_tiles_##name##_##bytes)(rows, vectors, 1, m, n, l, a, b, out);                   \
    else if (m * parts >= HL_ROWS)                                                                 \
      HL_LEVEL(hl_tiles_##name##_##bytes)(HL_ROWS, vectors, parts, m, n, l, a, b, out);            \
    else if (m * parts >= 4)                                                                       \
      HL_LEVEL(hl_tiles_##name##_##bytes)(4, vectors, parts, m, n, l, a, b, out);                  \
    else if (m * parts >= 2)                                                                       \
      HL_LEVEL(hl_tiles_##name##_##bytes)(2, vectors, parts, m, n, l, a, b, out);                  \
    else HL_LEVEL(hl_tiles_##name##_##bytes)(1, vectors, 1, m, n, l, a, b, out);                   \
  }

/* One product, in the widest strips that fit; of tiles with so many rows, if not 0. */
#define HL_PRODUCT(name, number, ADD)                                                              \
  HL_TILES(name, number, 64, ADD)                                                                  \
  HL_TILES(name, number, 32, ADD)                                                                  \
  HL_TILES(name, number, 16, ADD)                                                                  \
  HL_TILES(name, number, 8, ADD)                                                                   \
  HL_TILES(name, number, 1, ADD)                                                                   \
  static inline HL_INLINE void HL_LEVEL(hl_product_##name)(                                        \
      const ptrdiff_t rows, const ptrdiff_t parts, ptrdiff_t m, ptrdiff_t n, ptrdiff_t l,          \
      const number *a, const number *b, number *out) {                                             \
    if (l >= HL_MOST_VECTORS * HL_LANES(number, HL_BYTES))                                         \
      HL_LEVEL(HL_JOIN(hl_strips_##name##_, HL_BYTES))(                                            \
          rows, HL_MOST_VECTORS, parts, m, n, l, a, b, out);                                       \
    else if (HL_BYTES >= 64 && l >= HL_LANES(number, 64))                                          \
      HL_LEVEL(hl_strips_##name##_64)(rows, 1, parts, m, n, l, a, b, out);                         \
    else if (HL_BYTES >= 32 && l >= HL_LANES(number, 32))                                          \
      HL_LEVEL(hl_strips_##name##_32)(rows, 1, parts, m, n, l, a, b, out);                         \
    else if (l >= HL_LANES(number, 16))                                                            \
      HL_LEVEL(hl_strips_##name##_16)(rows, 1, parts, m, n, l, a, b, out);                         \
    else if (HL_LANES(number, 8) >= parts && l >= HL_LANES(number, 8))                             \
      HL_LEVEL(hl_strips_##name##_8)(rows, 1, parts, m, n, l, a, b, out);                          \
    else if (parts == 1) HL_LEVEL(hl_strips_##name##_1)(rows, 1, 1, m, n, l, a, b, out);           \
  }

/* Products of runs with the same matrix of a, which stays in registers where it is small; with
   constants for the sizes each product is unrolled whole. */
#define HL_WALK(name, number, parts)                                                               \
  static inline HL_INLINE void HL_LEVEL(hl_walk_##name##parts)(                                    \
      const ptrdiff_t rows, ptrdiff_t m, ptrdiff_t n, ptrdiff_t l, const hl_run *run,              \
      const number *HL_RESTRICT a, const number *HL_RESTRICT b, number *HL_RESTRICT out) {         \
    const ptrdiff_t next = run->m * l, d = run->d;                                                 \
    for (ptrdiff_t p = run->p0, stop; p < run->p1; p = stop) {                                     \
      const ptrdiff_t i = p / run->k, j = p % run->k;                                              \
      const number *x = a + (i * run->m + run->r0) * n * parts;                                    \
      ptrdiff_t s = (i + j) % d;                                                                   \
      stop = p + run->k - j;                                                                       \
      if (stop > run->p1) stop = run->p1;                                                          \
      for (; p < stop; p++) {                                                                      \
        HL_LEVEL(hl_product_##name)(rows, parts, m, n, l, x, b + s * n * l, out);                  \
        out += next;                                                                               \
        if (++s == d) s = 0;                                                                       \
      }                                                                                            \
    }                                                                                              \
  }

#define HL_RUN(name, number, parts, SQUARES)                                                       \
  HL_WALK(name, number, parts)                                                                     \
  static void HL_LEVEL(hl_run_##name##parts)(                                                      \
      const hl_run *run, const number *a, const number *b, number *out) {                          \
    const ptrdiff_t m = run->r1 - run->r0, n = run->n, l = run->l;                                 \
    switch (m == n && n == l ? n : 0) {                                                            \
      SQUARES(name)                                                                                \
      default: HL_LEVEL(hl_walk_##name##parts)(0, m, n, l * parts, run, a, b, out);                \
    }                                                                                              \
  }

/* A size without room for its rows would be a division by 0, which does not compile. */
#define HL_SQUARE(name, size)                                                                      \
  case size: {                                                                                     \
    enum { rows = size / (size <= HL_MOST_ROWS) };                                                 \
    HL_LEVEL(hl_walk_##name##1)(rows, size, size, size, run, a, b, out);                           \
    break;                                                                                         \
  }
#define HL_SQUARES(name)                                                                           \
  HL_SQUARE(name, 2) HL_SQUARE(name, 3) HL_SQUARE(name, 4) HL_SQUARE(name, 5)                      \
  HL_SQUARE(name, 6) HL_SQUARE(name, 7) HL_SQUARE(name, 8)
#define HL_NONE(name)

#define HL_PLUS_TIMES(sum, x, y) sum += x * y
#define HL_OR_AND(sum, x, y) sum |= x & y

HL_PRODUCT(float, float, HL_PLUS_TIMES)
HL_PRODUCT(double, double, HL_PLUS_TIMES)
HL_PRODUCT(uint8, uint8_t, HL_PLUS_TIMES)
HL_PRODUCT(uint16, uint16_t, HL_PLUS_TIMES)
HL_PRODUCT(uint32, uint32_t, HL_PLUS_TIMES)
HL_PRODUCT(uint64, uint64_t, HL_PLUS_TIMES)
HL_PRODUCT(bool, uint8_t, HL_OR_AND)

HL_RUN(float, float, 1, HL_SQUARES)
HL_RUN(double, double, 1, HL_SQUARES)
HL_RUN(float, float, 2, HL_NONE)
HL_RUN(double, double, 2, HL_NONE)
HL_RUN(uint8, uint8_t, 1, HL_NONE)
HL_RUN(uint16, uint16_t, 1, HL_NONE)
HL_RUN(uint32, uint32_t, 1, HL_NONE)
HL_RUN(uint64, uint64_t, 1, HL_NONE)
HL_RUN(bool, uint8_t, 1, HL_NONE)

#undef HL_TILES
#undef HL_PRODUCT
#undef HL_WALK
#undef HL_RUN
#undef HL_SQUARE
#undef HL_SQUARES
#undef HL_NONE
#undef HL_PLUS_TIMES
#undef HL_OR_AND
#undef HL_LEVEL
#undef HL_BYTES
#undef HL_ROWS
