// Which colours hold now, for canvas and style sheet alike; follows the reader's choice of light or dark.
import { DARK, LIGHT, type Palette } from "./colours.js";

const DARK_QUERY = "(prefers-color-scheme: dark)";

/** Also sets `--series-1` … and `--ramp-1` … for legends and bars. */
export function usePalette(onChange: () => void): () => Palette {
  const dark = matchMedia(DARK_QUERY);
  const current = () => (dark.matches ? DARK : LIGHT);
  const apply = () => {
    const { style } = document.documentElement;
    for (const [index, colour] of current().series.entries()) style.setProperty(`--series-${index + 1}`, colour);
    for (const [index, colour] of current().ramp.entries()) style.setProperty(`--ramp-${index + 1}`, colour);
  };
  apply();
  dark.addEventListener("change", () => {
    apply();
    onChange();
  });
  return current;
}
