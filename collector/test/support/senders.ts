// Sends what pages of many addresses report about versions, through one trusted proxy.
import { counter, counterPoint, histogram, histogramPoint, metricsBody, SHARES } from "./otlp.js";
import { post } from "./run.js";

export interface Said {
  model?: string;
  version: string;
  arm: string;
  correct?: number;
  incorrect?: number;
  /** Seconds of predictions that did not fail. */
  durations?: number[];
  /** Predictions that failed with `output_invalid`. */
  failed?: number;
  /** Of a shadow. */
  agree?: number;
  disagree?: number;
  /** Quantiles of inputs by feature. */
  inputs?: Record<string, number[]>;
  confidences?: number[];
  classes?: Record<string, number>;
  attributes?: Record<string, string>;
}

/** The address of a sender, as the proxy names it. */
export const addressOf = (i: number) => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;

export function metricsOf(said: Said): object[] {
  const { model = "digits", version, arm, correct = 0, incorrect = 0, durations = [], failed = 0 } = said;
  const of = { "ml.model.name": model, "ml.model.version": version, "ml.rollout.arm": arm, ...said.attributes };
  const metrics: object[] = [];
  const count = (name: string, unit: string, key: string, counts: Record<string, number>) => {
    const points = Object.entries(counts)
      .filter(([, value]) => value > 0)
      .map(([value, n]) => counterPoint(String(n), { ...of, [key]: value }));
    if (points.length > 0) metrics.push(counter(points, { name, unit }));
  };
  count("ml.prediction.outcomes", "{prediction}", "ml.prediction.outcome", { correct, incorrect });
  const { agree = 0, disagree = 0 } = said;
  count("ml.shadow.comparisons", "{prediction}", "ml.shadow.result", { agree, disagree });
  count("ml.prediction.classes", "{prediction}", "ml.prediction.class", said.classes ?? {});
  if (durations.length > 0) metrics.push(histogram([histogramPoint(durations, of)]));
  if (failed > 0) {
    const point = histogramPoint(new Array<number>(failed).fill(0.01), { ...of, "error.type": "output_invalid" });
    metrics.push(histogram([point]));
  }
  for (const [feature, values] of Object.entries(said.inputs ?? {})) {
    const point = histogramPoint(values, { ...of, "ml.input.feature": feature }, {}, SHARES);
    metrics.push(histogram([point], { name: "ml.input.quantile", unit: "1" }));
  }
  if (said.confidences) {
    const point = histogramPoint(said.confidences, of, {}, SHARES);
    metrics.push(histogram([point], { name: "ml.prediction.confidence", unit: "1" }));
  }
  return metrics;
}

/** One request of one sender. */
export function say(url: string, sender: number, said: Said, headers: Record<string, string> = {}): Promise<Response> {
  return post(`${url}/v1/metrics`, metricsBody(metricsOf(said)), {
    "x-forwarded-for": addressOf(sender),
    ...headers,
  });
}

/** The same of several senders. */
export async function sayAll(
  url: string,
  senders: readonly number[],
  said: (i: number) => Said,
  headers: Record<string, string> = {},
): Promise<void> {
  for (let from = 0; from < senders.length; from += 64) {
    const answers = await Promise.all(senders.slice(from, from + 64).map((i) => say(url, i, said(i), headers)));
    for (const answer of answers)
      if (answer.status !== 200) throw new Error(`${answer.status}: ${await answer.text()}`);
  }
}

export const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
