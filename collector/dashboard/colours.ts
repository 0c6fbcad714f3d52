// The colours of lines and bars, in light and dark; a test measures that they are distinguishable.

export interface Palette {
  /** Things side by side. Chosen by search: 3:1 against the sheet, and apart from each other for every kind of colour vision. */
  series: readonly string[];
  /** Things in an order: p50, p95, p99. */
  ramp: readonly string[];
  band: string;
  bandQuiet: string;
  ink: string;
  quiet: string;
  line: string;
  sheet: string;
}

export const LIGHT: Palette = {
  series: ["#0a5fb6", "#ee6325", "#2ba191", "#a71769", "#b276f2", "#1c5000"],
  ramp: ["#5b97d6", "#2465b8", "#0b2f63"],
  band: "rgb(10 95 182 / 18%)",
  bandQuiet: "rgb(85 97 95 / 16%)",
  ink: "#16201f",
  quiet: "#55615f",
  line: "#e6eaea",
  sheet: "#ffffff",
};

export const DARK: Palette = {
  series: ["#68afec", "#d58d52", "#49f5e3", "#bb3d69", "#7761d1", "#f0d641"],
  ramp: ["#3d78bd", "#7db4ef", "#dcebfb"],
  band: "rgb(104 175 236 / 24%)",
  bandQuiet: "rgb(162 174 172 / 20%)",
  ink: "#e8eeed",
  quiet: "#a2aeac",
  line: "#293131",
  sheet: "#191f1f",
};
