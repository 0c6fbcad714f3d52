// The runs over HTTP: which worlds are run whole, and what is read off them.
import type { Row } from "./scenarios.js";
import { ranCanary, type WholeRunResult, wholeRun } from "./whole-run.js";
import { STABLE, WORLD, type World } from "./world.js";

export interface WholeOptions {
  pages: number;
  realPages: number;
  say(line: string): void;
}

export interface WholeRun {
  id: string;
  title: string;
  run(options: WholeOptions): Promise<Row[]>;
}

const SEED = 7;

const WORSE: Partial<World> = { canary: { ...STABLE, accuracy: STABLE.accuracy - 0.06 }, weight: 20 };
const BETTER: Partial<World> = {
  canary: { ...STABLE, accuracy: STABLE.accuracy + 0.03 },
  weight: 20,
  labels: 0,
  trustedLabels: 0.05,
};

export const WHOLE_RUNS: readonly WholeRun[] = [
  {
    id: "whole-worse",
    title: "Whole run over HTTP: 6 points less accuracy, 20 % of the browsers, with real pages in Chromium",
    async run({ pages, realPages, say }) {
      const result = await wholeRun({ world: { ...WORLD, ...WORSE, pages }, seed: SEED, realPages, say });
      const last = result.steps.at(-1);
      return [
        row(
          "the operator's last step",
          `${last?.action ?? "none"} on day ${(last?.day ?? 0) + 1}`,
          "rollback",
          last?.action === "rollback",
        ),
        ...exposure(result),
        ...real(result),
      ];
    },
  },
  {
    id: "whole-better",
    title: "Whole run over HTTP: 3 points more accuracy, labels by the site's own backend",
    async run({ pages, say }) {
      const result = await wholeRun({ world: { ...WORLD, ...BETTER, pages }, seed: SEED, realPages: 0, say });
      const last = result.steps.at(-1);
      const steps = result.steps.map((step) => `${step.action} on day ${step.day + 1}`).join(", ");
      return [row("the operator's steps", steps, "promote", last?.action === "promote"), ...exposure(result)];
    },
  },
];

function exposure({ exposedPages, exposedPredictions, predictions, seconds }: WholeRunResult): Row[] {
  const share = ((100 * exposedPredictions) / predictions).toFixed(1);
  return [
    row("pages that ran the canary", exposedPages.toLocaleString("en")),
    row("predictions of the canary", `${exposedPredictions.toLocaleString("en")}, ${share} % of all until then`),
    row("time of the run", `${Math.round(seconds)} s`),
  ];
}

function real({ real: pages }: WholeRunResult): Row[] {
  if (!pages) return [];
  const { accuracy, during, after } = pages;
  const all = during.versions.length;
  const share = (value: number) => `${(100 * value).toFixed(1)} %`;
  return [
    row(
      "accuracy of the packages on 1,000 held-out digits",
      `${share(accuracy.stable)}, canary ${share(accuracy.canary)}`,
    ),
    row("real pages on the canary while it ran", `${ranCanary(during)} of ${all}`, "at least 1", ranCanary(during) > 0),
    row("real pages on the canary afterwards", `${ranCanary(after)} of ${all}`, "none", ranCanary(after) === 0),
    row("their failed predictions", `${during.failed + after.failed}`, "none", during.failed + after.failed === 0),
  ];
}

function row(question: string, found: string, target = "", isMet = true): Row {
  return { question, found, target, isMet };
}
