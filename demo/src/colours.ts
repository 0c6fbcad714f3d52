// Gives each class its colour, light enough that dark text on it is always readable.

// Successive multiples of the golden angle are as far apart as hues can be, however many classes there are.
const GOLDEN_ANGLE = 137.508;
// The first class (a person, in COCO) gets the accent's teal.
const FIRST_HUE = 185;

/** A CSS colour. At this lightness `LABEL_INK` has a contrast above 7:1 on every hue. */
export function classColour(index: number): string {
  return `oklch(0.82 0.14 ${((FIRST_HUE + index * GOLDEN_ANGLE) % 360).toFixed(1)})`;
}

export const LABEL_INK = "#101514";
