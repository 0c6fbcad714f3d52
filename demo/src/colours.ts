// Assigns a colour to each class, light enough for dark text on it.

// Multiples of the golden angle spread the hues evenly for any number of classes.
const GOLDEN_ANGLE = 137.508;
// The first class (person, in COCO) gets the page's accent colour.
const FIRST_HUE = 185;

/** Returns a CSS colour. At this lightness the contrast to `LABEL_INK` is above 7:1 for every hue. */
export function classColour(index: number): string {
  return `oklch(0.82 0.14 ${((FIRST_HUE + index * GOLDEN_ANGLE) % 360).toFixed(1)})`;
}

export const LABEL_INK = "#101514";
