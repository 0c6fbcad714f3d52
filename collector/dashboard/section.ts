// A part of the page: a heading over panels that are refreshed together.
import type { Report } from "../src/report-types.js";
import type { Palette } from "./colours.js";
import { make } from "./dom.js";

export interface Scene {
  report: Report;
  palette: Palette;
  /** A filter is set; figures that pages report without a model's name cover more than the rest of the page then. */
  filtered: boolean;
}

export interface Section {
  element: HTMLElement;
  show(scene: Scene): void;
}

export function frameSection(title: string, ...panels: HTMLElement[]): HTMLElement {
  const heading = make("h2", "", title);
  heading.id = `part-${title.toLowerCase().replaceAll(" ", "-")}`;
  const element = make("section", "part", heading, make("div", "panels", ...panels));
  element.setAttribute("aria-labelledby", heading.id);
  return element;
}

export const NOT_NARROWED = "Pages report this without a model's name: the filters do not narrow it.";
