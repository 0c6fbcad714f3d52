#include "convolution.h"

#define TILE 6
/** Weights of panels that are used together stay in the second cache. */
#define CACHED (1 << 16)

/** `parts` pointers for each row, to `length` values each. */
INLINE void tile(const int R, const f32 *const *parts, int count, int length, const f32 *w, f32 *out, int stride, int n, v128 low, v128 high) {
  v128 s[TILE][2];
  v128 b0 = wasm_v128_load(w), b1 = wasm_v128_load(w + 4);
  w += PANEL;
#pragma clang loop unroll(full)
  for (int r = 0; r < R; r++) s[r][0] = b0, s[r][1] = b1;
#pragma clang loop unroll(disable)
  for (; count > 0; count--) {
    const f32 *a[TILE];
#pragma clang loop unroll(full)
    for (int r = 0; r < R; r++) a[r] = parts[r];
    parts += TILE;
    int k = length;
#pragma clang loop unroll(disable)
    for (; k >= 4; k -= 4) {
#pragma clang loop unroll(full)
      for (int u = 0; u < 4; u++) {
        v128 w0 = wasm_v128_load(w + u * PANEL), w1 = wasm_v128_load(w + u * PANEL + 4);
#pragma clang loop unroll(full)
        for (int r = 0; r < R; r++) {
          v128 v = wasm_v128_load32_splat(a[r] + u);
          s[r][0] = FMA(v, w0, s[r][0]);
          s[r][1] = FMA(v, w1, s[r][1]);
        }
      }
#pragma clang loop unroll(full)
      for (int r = 0; r < R; r++) a[r] += 4;
      w += 4 * PANEL;
    }
#pragma clang loop unroll(disable)
    for (; k > 0; k--) {
      v128 w0 = wasm_v128_load(w), w1 = wasm_v128_load(w + 4);
#pragma clang loop unroll(full)
      for (int r = 0; r < R; r++) {
        v128 v = wasm_v128_load32_splat(a[r]);
        s[r][0] = FMA(v, w0, s[r][0]);
        s[r][1] = FMA(v, w1, s[r][1]);
        a[r] += 1;
      }
      w += PANEL;
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < R; r++, out += stride) store(out, clamp(s[r][0], low, high), clamp(s[r][1], low, high), n);
}

static __attribute__((noinline)) void panels(int count, const f32 *const *parts, int partCount, int length, const f32 *w, f32 *out, int stride, int n, v128 low, v128 high) {
  const int step = PANEL * (1 + partCount * length);
  for (; n > 0; n -= PANEL, out += PANEL, w += step) {
    switch (count) {
      case 6: tile(6, parts, partCount, length, w, out, stride, n, low, high); break;
      case 5: tile(5, parts, partCount, length, w, out, stride, n, low, high); break;
      case 4: tile(4, parts, partCount, length, w, out, stride, n, low, high); break;
      case 3: tile(3, parts, partCount, length, w, out, stride, n, low, high); break;
      case 2: tile(2, parts, partCount, length, w, out, stride, n, low, high); break;
      default: tile(1, parts, partCount, length, w, out, stride, n, low, high);
    }
  }
}

/** A row of a window that reaches beyond the picture, with zeros there. */
static __attribute__((noinline)) void copyRow(const Convolution *c, f32 *to, const f32 *row, int x) {
  for (int k = 0; k < c->columns; k++, x++, to += c->from) {
    const int isInside = row && x >= 0 && x < c->width;
    for (int i = 0; i < c->from; i++) to[i] = isInside ? row[x * c->from + i] : 0;
  }
}

/** The window of an output pixel: a part for each of its rows, or for each of its values where they lie apart. */
INLINE void window(const Convolution *c, int item, int down, int across, const f32 **parts, f32 *room) {
  const f32 *picture = c->x + item * c->height * c->width * c->from;
  const int x = across * c->strideAcross - c->left;
  const int isInside = x >= 0 && x + (c->columns - 1) * c->dilationAcross < c->width;
  int y = down * c->strideDown - c->top;
#pragma clang loop unroll(disable)
  for (int k = 0; k < c->rows; k++, y += c->dilationDown) {
    const f32 *row = y >= 0 && y < c->height ? picture + y * c->width * c->from : 0;
    if (row && isInside) *parts = row + x * c->from;
    else {
      copyRow(c, room, row, x);
      *parts = room;
      room += c->columns * c->from;
    }
    parts += TILE;
  }
}

/** Output pixels from `begin` to `end`. */
__attribute__((export_name("convolve"))) void convolve(const Convolution *c, int begin, int end) {
  const v128 low = wasm_f32x4_splat(c->low), high = wasm_f32x4_splat(c->high);
  const int length = c->columns * c->from, size = c->rows * length, to = c->to;
  f32 *room = (f32 *)(c->scratch + TILE * c->rows);
  int block = CACHED / (size + 1) / PANEL * PANEL;
  if (block < PANEL) block = PANEL;
  for (int n = 0; n < to; n += block) {
    const f32 *w = c->packed + n * (size + 1);
    const int width = to - n < block ? to - n : block;
    // Divided once: for a window of 27 values, divisions would take as long as the products.
    int across = begin % c->outWidth, down = begin / c->outWidth, item = down / c->outHeight;
    down -= item * c->outHeight;
    for (int pixel = begin; pixel < end; pixel += TILE) {
      const int count = end - pixel < TILE ? end - pixel : TILE;
#pragma clang loop unroll(disable)
      for (int r = 0; r < count; r++) {
        window(c, item, down, across, c->scratch + r, room + r * size);
        if (++across == c->outWidth) {
          across = 0;
          if (++down == c->outHeight) down = 0, item++;
        }
      }
      panels(count, c->scratch, c->rows, length, w, c->out + pixel * to + n, to, width, low, high);
    }
  }
}

/** As `convolve`, where a window is one pixel: rows of a matrix. */
__attribute__((export_name("multiply"))) void multiply(const Convolution *c, int begin, int end) {
  const v128 low = wasm_f32x4_splat(c->low), high = wasm_f32x4_splat(c->high);
  const int inner = c->from, to = c->to;
  int block = CACHED / (inner + 1) / PANEL * PANEL;
  if (block < PANEL) block = PANEL;
  for (int n = 0; n < to; n += block) {
    const f32 *w = c->packed + n * (inner + 1);
    const int width = to - n < block ? to - n : block;
    for (int row = begin; row < end; row += TILE) {
      const int count = end - row < TILE ? end - row : TILE;
      for (int r = 0; r < count; r++) c->scratch[r] = c->x + (row + r) * inner;
      panels(count, c->scratch, 1, inner, w, c->out + row * to + n, to, width, low, high);
    }
  }
}
