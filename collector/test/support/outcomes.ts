// Sends what pages of a model send: predictions with their confidence, and labelled outcomes.
import { counter, counterPoint, histogram, histogramPoint, metricsBody, SHARES } from "./otlp.js";
import { post } from "./run.js";

interface Outcomes {
  model?: string;
  version?: string;
  arm?: string;
  correct?: number;
  incorrect?: number;
  /** Of each prediction. */
  confidences?: readonly number[];
  /** False for a site whose backend alone reports, with outcomes only. */
  hasItems?: boolean;
  /** Epoch milliseconds of the points. */
  time?: number;
}

export async function sendOutcomes(url: string, given: Outcomes): Promise<void> {
  const { model = "digits", version = "1.0.0", arm = "stable", correct = 0, incorrect = 0, time = Date.now() } = given;
  const attributes = { "ml.model.name": model, "ml.model.version": version, "ml.rollout.arm": arm };
  const timeUnixNano = `${time}000000`;
  const point = (n: number, outcome: string) =>
    counterPoint(String(n), { ...attributes, "ml.prediction.outcome": outcome }, { timeUnixNano });
  const items = counterPoint(
    String(correct + incorrect + 1),
    { ...attributes, "ml.inference.mode": "online", "ml.runtime.backend": "wasm" },
    { timeUnixNano },
  );
  const confidences = given.confidences ?? [];
  const metrics = [
    ...(given.hasItems === false ? [] : [counter([items], { name: "ml.inference.items", unit: "{item}" })]),
    counter([point(correct, "correct"), point(incorrect, "incorrect")], {
      name: "ml.prediction.outcomes",
      unit: "{prediction}",
    }),
    ...(confidences.length > 0
      ? [
          histogram([histogramPoint(confidences, attributes, { timeUnixNano }, SHARES)], {
            name: "ml.prediction.confidence",
            unit: "1",
          }),
        ]
      : []),
  ];
  const response = await post(`${url}/v1/metrics`, metricsBody(metrics));
  if (response.status !== 200 || (await response.text()) !== "{}") throw new Error(`Refused: ${response.status}`);
}
