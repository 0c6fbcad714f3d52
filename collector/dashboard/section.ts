// A part of the page: a heading over panels that are refreshed together.
import type { Report } from "../src/report-types.js";
import { make } from "./dom.js";
import type { Setting } from "./panel.js";
import type { Rollouts } from "./rollout/data.js";

export interface Scene extends Setting {
  report: Report;
  rollouts: Rollouts;
  /** A filter is set; figures that pages report without a model's name cover more than the rest of the page then. */
  filtered: boolean;
}

export interface Section {
  element: HTMLElement;
  show(scene: Scene): void;
}

export function frameSection(title: string, ...panels: HTMLElement[]): HTMLElement {
  return frameSectionWith(title, null, ...panels);
}

/** With a control beside its title, which holds for all of its panels. */
export function frameSectionWith(title: string, tool: HTMLElement | null, ...panels: HTMLElement[]): HTMLElement {
  const heading = make("h2", "", title);
  heading.id = `part-${title.toLowerCase().replaceAll(" ", "-")}`;
  const head = tool ? make("div", "head", heading, tool) : heading;
  const element = make("section", "part", head, make("div", "panels", ...panels));
  element.setAttribute("aria-labelledby", heading.id);
  return element;
}

export const NOT_NARROWED = "Pages report this without a model's name: the filters do not narrow it.";
