// What stands in place of plots when there is nothing to plot: the reason, and what to do about it.
import type { Report } from "../src/report-types.js";
import { make } from "./dom.js";
import { count } from "./format.js";

interface Choices {
  widen(): void;
  clear(): void;
}

export function createEmpty(choices: Choices): { element: HTMLElement; show(report: Report, filtered: boolean): void } {
  const element = make("section", "card empty");
  let shown = "";
  return {
    element,
    show(report, filtered) {
      const kind = kindOf(report, filtered);
      const key = `${kind} ${report.hidden} ${report.minBatches}`;
      // A refresh must not take the focus from a button.
      if (shown === key) return;
      shown = key;
      element.replaceChildren(...contentOf(kind, report, choices));
    },
  };
}

type Kind = "hidden" | "filtered" | "range" | "never";

function kindOf({ hidden, models }: Report, filtered: boolean): Kind {
  if (hidden > 0) return "hidden";
  if (filtered) return "filtered";
  return models.length > 0 ? "range" : "never";
}

function contentOf(kind: Kind, report: Report, { widen, clear }: Choices): HTMLElement[] {
  switch (kind) {
    case "hidden":
      return [
        make("h2", "", "There is data, but too little to show"),
        make("p", "", hiddenText(report)),
        make(
          "p",
          "",
          `To try things out, start the collector with --min-batches 1. Here it is ${count(report.minBatches)}.`,
        ),
      ];
    case "filtered":
      return [
        make("h2", "", "Nothing fits these filters"),
        make("p", "", "No page reported such a model, version or backend in this range."),
        make("div", "row", button("Take the filters away", clear), button("Look at the last 7 days", widen)),
      ];
    case "range":
      return [
        make("h2", "", "Nothing was reported in this range"),
        make(
          "p",
          "",
          "Pages sent data before. See whether they are still visited and whether they can reach this collector.",
        ),
        button("Look at the last 7 days", widen),
      ];
    case "never":
      return [
        make("h2", "", "No data yet"),
        make("p", "", "Let a page send its figures here. They appear within seconds of its first batch."),
        ...snippet(),
        button("Look at the last 7 days", widen),
      ];
    default:
      throw kind satisfies never;
  }
}

export function hiddenText({ hidden, minBatches }: Report): string {
  if (hidden === 0) return `Nothing is hidden: at least ${count(minBatches)} batches hold data of each figure.`;
  const cells =
    hidden === 1
      ? "1 cell (model × version × arm × backend) is"
      : `${count(hidden)} cells (model × version × arm × backend) are`;
  return `${cells} hidden: fewer than ${count(minBatches)} batches hold data of them, which could be personal.`;
}

function button(text: string, act: () => void): HTMLElement {
  const element = make("button", "", text);
  element.type = "button";
  element.addEventListener("click", act);
  return element;
}

function snippet(): HTMLElement[] {
  const endpoint = new URL("..", document.baseURI).href.replace(/\/$/, "");
  const code = `import { createClient } from "insitu";

const client = createClient({
  telemetry: {
    endpoint: "${endpoint}",
    service: { name: "shop", version: "1.4.0" },
  },
});`;
  const block = make("pre", "", make("code", "", code));
  block.tabIndex = 0;
  block.setAttribute("role", "region");
  block.setAttribute("aria-label", "Code that sends data to this collector");
  const key = "With --write-key, add the key to the page as the collector's README says.";
  return [block, make("p", "aside", key)];
}
