#include "convolution.h"

/** Output pixels of one row that are computed together. */
#define ACROSS 4

/** `count` pointers, each to as many input pixels as the tile needs; `skipped` rows of the window are above the picture. */
INLINE void tile(const int T, const int K, const int S, const Convolution *c, int count, int skipped, f32 *out) {
  const v128 low = wasm_v128_load32_splat(&c->low), high = wasm_v128_load32_splat(&c->high);
  const f32 *const *rows = c->scratch;
  const int channels = c->from;
  const f32 *w = c->packed;
  const int next = 4 * (1 + c->rows * K);
#pragma clang loop unroll(disable)
  for (int i = 0; i < channels; i += 4, w += next) {
    v128 s[ACROSS];
    const v128 bias = wasm_v128_load(w);
#pragma clang loop unroll(full)
    for (int t = 0; t < T; t++) s[t] = bias;
    const f32 *v = w + 4 * (1 + skipped * K);
    #pragma clang loop unroll(disable)
    for (int k = 0; k < count; k++, v += 4 * K) {
      const f32 *x = rows[k] + i;
      v128 f[5];
#pragma clang loop unroll(full)
      for (int j = 0; j < K; j++) f[j] = wasm_v128_load(v + 4 * j);
#pragma clang loop unroll(full)
      for (int j = 0; j < (T - 1) * S + K; j++) {
        const v128 value = wasm_v128_load(x + j * channels);
#pragma clang loop unroll(full)
        for (int t = 0; t < T; t++)
          if (j - t * S >= 0 && j - t * S < K) s[t] = FMA(value, f[j - t * S], s[t]);
      }
    }
#pragma clang loop unroll(full)
    for (int t = 0; t < T; t++) wasm_v128_store(out + t * channels + i, clamp(s[t], low, high));
  }
}

/** `count` pixels of a row from `x` on, with zeros beyond the picture. */
static void copyPixels(const Convolution *c, f32 *to, const f32 *row, int x, int count) {
  const int channels = c->from;
  #pragma clang loop unroll(disable)
    for (int k = 0; k < count; k++, x++, to += channels) {
    const int isInside = x >= 0 && x < c->width;
    const f32 *from = row + x * channels;
#pragma clang loop unroll(disable)
    for (int i = 0; i < channels; i += 4)
      wasm_v128_store(to + i, isInside ? wasm_v128_load(from + i) : wasm_f32x4_splat(0));
  }
}

#define TILE(T, K, S) \
  static __attribute__((noinline)) void tile##T##K##S(const Convolution *c, int count, int skipped, f32 *out) { tile(T, K, S, c, count, skipped, out); }
#define TILES(K, S) TILE(4, K, S) TILE(3, K, S) TILE(2, K, S) TILE(1, K, S)
TILES(3, 1) TILES(3, 2) TILES(5, 1) TILES(5, 2)

#define CALLS(K, S) \
  switch (pixels) { \
    case 4: tile4##K##S(c, count, skipped, out); break; \
    case 3: tile3##K##S(c, count, skipped, out); break; \
    case 2: tile2##K##S(c, count, skipped, out); break; \
    default: tile1##K##S(c, count, skipped, out); \
  }

/** The tiles from pixel `across` to `until` of the rows from `begin` to `end` of all pictures. Where they are at an edge there is only one. */
static void tiles(const Convolution *c, int across, int until, int isEdge, int begin, int end) {
  const int channels = c->from, stride = c->strideAcross;
  const f32 **rows = c->scratch;
  f32 *room = (f32 *)(rows + c->rows);
  const int wide = (ACROSS - 1) * stride + c->columns;
  const int left = across * stride - c->left;
  /** The first input row that was not copied. */
  int next = 0;
  for (int row = begin; row < end; row++) {
    const int item = row / c->outHeight;
    const f32 *picture = c->x + item * c->height * c->width * channels;
    const int y = (row - item * c->outHeight) * c->strideDown - c->top;
    if (row == begin || y == -c->top) next = 0;
    const int skipped = y < 0 ? -y : 0;
    const int last = y + c->rows < c->height ? y + c->rows : c->height;
    int count = 0;
    for (int k = y + skipped; k < last; k++) {
      const f32 *from = picture + k * c->width * channels;
      if (isEdge) {
        f32 *to = room + k % c->rows * wide * channels;
        if (k >= next) copyPixels(c, to, from, left, wide), next = k + 1;
        rows[count++] = to;
      } else rows[count++] = from + left * channels;
    }
    f32 *out = c->out + (row * c->outWidth + across) * channels;
    for (int at = across; at < until; at += ACROSS, out += ACROSS * channels) {
      const int pixels = until - at < ACROSS ? until - at : ACROSS;
      if (c->columns == 3) {
        if (stride == 1) CALLS(3, 1) else CALLS(3, 2)
      } else {
        if (stride == 1) CALLS(5, 1) else CALLS(5, 2)
      }
      for (int k = 0; k < count; k++) rows[k] += ACROSS * stride * channels;
    }
  }
}

/**
 * Rows of the output from `begin` to `end`, of all pictures. Channels are a multiple of four, windows have three or five columns, that do not lie
 * apart, and strides are one or two.
 */
__attribute__((export_name("depthwise"))) void depthwise(const Convolution *c, int begin, int end) {
  int across = 0, inside = -1;
  for (; across < c->outWidth; across += ACROSS) {
    const int x = across * c->strideAcross - c->left;
    const int pixels = c->outWidth - across < ACROSS ? c->outWidth - across : ACROSS;
    const int isInside = x >= 0 && x + (pixels - 1) * c->strideAcross + c->columns <= c->width;
    if (isInside && inside < 0) inside = across;
    if (isInside) continue;
    if (inside >= 0) tiles(c, inside, across, 0, begin, end);
    inside = -1;
    tiles(c, across, across + pixels, 1, begin, end);
  }
  if (inside >= 0) tiles(c, inside, c->outWidth, 0, begin, end);
}
