#include "tile.h"

/**
 * Puts a matrix of `inner` rows in order for the kernels: panels of so many columns, each its biases and then its weights, row by row. Columns
 * that the last panel lacks are zeros. There may be no biases.
 */
__attribute__((export_name("pack"))) void pack(const f32 *weights, const f32 *biases, f32 *to, int inner, int columns, int panel) {
  for (int first = 0; first < columns; first += panel) {
    const int count = columns - first < panel ? columns - first : panel;
    for (int i = 0; i < panel; i++) *to++ = biases && i < count ? biases[first + i] : 0;
    const f32 *row = weights + first;
    for (int k = 0; k < inner; k++, row += columns)
      for (int i = 0; i < panel; i++) *to++ = i < count ? row[i] : 0;
  }
}
