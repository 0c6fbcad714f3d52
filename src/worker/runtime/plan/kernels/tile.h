// Six output pixels by eight output channels, which stay in registers: 12 of the 16 vectors that x86 has, two of weights, one of an input.
#pragma once
#include <wasm_simd128.h>

#define INLINE static inline __attribute__((always_inline))

#ifdef __wasm_relaxed_simd__
#define FMA(a, b, sum) wasm_f32x4_relaxed_madd(a, b, sum)
#else
#define FMA(a, b, sum) wasm_f32x4_add(sum, wasm_f32x4_mul(a, b))
#endif

typedef float f32;
typedef v128_t v128;

/** Output channels of one panel of packed weights. */
#define PANEL 8

/** Writes the first `count` of the eight values, and nothing beyond them. */
INLINE void store(f32 *to, v128 low, v128 high, int count) {
  if (count >= PANEL) {
    wasm_v128_store(to, low);
    wasm_v128_store(to + 4, high);
    return;
  }
  if (count >= 4) {
    wasm_v128_store(to, low);
    to += 4;
    low = high;
    count -= 4;
  }
  if (count >= 2) {
    wasm_v128_store64_lane(to, low, 0);
    to += 2;
    low = wasm_i32x4_shuffle(low, low, 2, 3, 2, 3);
    count -= 2;
  }
  if (count >= 1) wasm_v128_store32_lane(to, low, 0);
}

/** Not a NaN's: what is NaN stays NaN. */
INLINE v128 clamp(v128 value, v128 low, v128 high) {
  return wasm_f32x4_pmin(wasm_f32x4_pmax(value, low), high);
}
