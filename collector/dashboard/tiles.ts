// The row of figures at the top: what somebody on call looks at first.
import { FEW_LABELS, interval } from "./accuracy.js";
import { make, write } from "./dom.js";
import { type Figures, figuresOf, nameOf } from "./figures.js";
import { count, NONE, percent } from "./format.js";
import { percentileText } from "./ranges.js";
import { isFew } from "./samples.js";
import type { Scene } from "./section.js";

interface Tile {
  name: string;
  label: string;
  tell(figures: Figures, scene: Scene): { value: number | null; text: string; about: string };
}

const TILES: readonly Tile[] = [
  {
    name: "predictions",
    label: "Predictions",
    tell: ({ predictions }, { report }) => ({
      value: predictions,
      text: count(predictions),
      about: `${count(report.throughput.reduce((all, { items }) => all + items, 0))} items`,
    }),
  },
  {
    name: "p95",
    label: "p95 latency",
    tell: ({ slowest }, { report }) => {
      if (!slowest) return { value: null, text: NONE, about: "nothing measured" };
      const several = report.latency.filter(({ stage }) => stage === "total").length > 1;
      const name = nameOf(slowest.model, slowest.version, slowest.backend);
      const few = isFew(slowest.count) ? `\nof ${plural(slowest.count, "prediction")}, too few` : "";
      const about = `${several ? `${name}\nthe slowest` : name}${few}`;
      return { value: slowest.p95, text: percentileText(slowest, "p95"), about };
    },
  },
  {
    name: "errors",
    label: "Error rate",
    tell: ({ errorRate, errors }, { filtered }) => {
      // Errors carry no model: over the predictions of one model they would be no rate.
      if (filtered) return { value: null, text: NONE, about: `${plural(errors, "error")} in all models` };
      const text = errorRate === null ? NONE : percent(errorRate, 2);
      return { value: errorRate, text, about: plural(errors, "error") };
    },
  },
  {
    name: "accuracy",
    label: "Accuracy",
    tell: ({ bestLabelled: version }) => {
      if (!version || version.accuracy === null) return { value: null, text: NONE, about: "no labels" };
      const few = version.labelled < FEW_LABELS ? ", too few" : "";
      const name = nameOf(version.model, version.version);
      const about = `${interval(version.low, version.high)}, ${count(version.labelled)} labels${few}\n${name}`;
      return { value: version.accuracy, text: percent(version.accuracy), about };
    },
  },
  {
    name: "fallbacks",
    label: "Fallbacks",
    tell: ({ fallbacks }, { report }) => ({
      value: fallbacks,
      text: count(fallbacks),
      about: plural(
        report.restarts.reduce((all, one) => all + one.count, 0),
        "worker restart",
      ),
    }),
  },
  {
    name: "dropped",
    label: "Dropped records",
    tell: ({ dropped }, { report }) => ({
      value: dropped,
      text: count(dropped),
      about: `of ${plural(report.telemetry.batches, "batch", "batches")}`,
    }),
  },
];

/** Characters: limits of a percentile need smaller letters to stay on one line. */
const LONG = 9;

export function createTiles(): { element: HTMLElement; show(scene: Scene): void } {
  const cells = TILES.map((tile) => {
    const value = make("data");
    value.id = `tile-${tile.name}`;
    const about = make("span", "about");
    return { tile, value, about };
  });
  const items = cells.map(({ tile, value, about }) =>
    make("div", "tile", make("dt", "", tile.label), make("dd", "", value, about)),
  );
  return {
    element: make("dl", "tiles", ...items),
    show(scene) {
      const figures = figuresOf(scene.report);
      for (const { tile, value, about } of cells) {
        const content = tile.tell(figures, scene);
        value.value = content.value === null ? "" : String(content.value);
        write(value, content.text);
        value.classList.toggle("long", content.text.length > LONG);
        write(about, content.about);
        about.title = content.about;
      }
    },
  };
}

function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}
