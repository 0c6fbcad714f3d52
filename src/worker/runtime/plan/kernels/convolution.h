// What a convolution is called with.
#pragma once
#include "tile.h"

/** Written by JavaScript, field by field. */
typedef struct {
  const f32 *x;
  /** By panels: eight biases, then eight weights for each value of a window. */
  const f32 *packed;
  f32 *out;
  /** Pointers to the parts of six windows, then room for windows that reach beyond the picture. */
  const f32 **scratch;
  int batch, height, width, from;
  int outHeight, outWidth, to;
  int rows, columns;
  int strideDown, strideAcross;
  int dilationDown, dilationAcross;
  int top, left;
  f32 low, high;
} Convolution;
