// The decision of a collector on a rollout: requested, and checked field by field, since it moves what browsers run.
import { InsituError } from "../../shared/errors.js";
import { isObject } from "../../shared/json-fields.js";
import { bearer, request, statusError } from "./http.js";

const ACTIONS = ["hold", "promote", "rollback"] as const;
const REASONS = [
  "accuracy",
  "errors",
  "latency",
  "better",
  "not_worse",
  "not_enough",
  "untrusted",
  "no_candidate",
] as const;
const VERDICTS = ["worse", "better", "equivalent", "unknown"] as const;

/** The version that a side of the comparison ran, and its number of predictions. */
export interface DecisionSide {
  version: string;
  arm: string;
  n: number;
}

/** A figure with its interval; absent parts were not known. */
export interface Figure {
  n: number;
  value?: number;
  low?: number;
  high?: number;
}

export interface Evidence {
  metric: string;
  /** False: from pages alone, which anybody can send. */
  trusted: boolean;
  /** A share; of latency the median in seconds. */
  control: Figure;
  candidate: Figure;
  /** The candidate's share minus the control's; of latency the ratio of means minus 1. */
  difference?: number;
  low?: number;
  high?: number;
  p?: number;
  alpha?: number;
  verdict: (typeof VERDICTS)[number];
  /** What a verdict still lacks. */
  missing: string[];
}

export interface Decision {
  model: string;
  /** Epoch milliseconds, or ISO 8601, as the collector sent it. */
  at: string | number;
  control: DecisionSide;
  candidate: DecisionSide | null;
  action: (typeof ACTIONS)[number];
  reason: (typeof REASONS)[number];
  /** What a promotion still lacks. */
  missing: string[];
  evidence: Evidence[];
}

export interface Collector {
  /** Its address, such as `https://collector.example`. */
  url: string;
  token?: string;
  signal?: AbortSignal;
}

/** Throws `network`, `http_4xx`, `http_5xx`, or `model_format` for an answer that is not a decision on this model. */
export async function fetchDecision({ url, token, signal }: Collector, model: string): Promise<Decision> {
  const address = decisionAddress(url, model);
  const answer = await request(address, { headers: bearer(token), ...(signal && { signal }) });
  if (answer.status !== 200) throw statusError(address, answer);
  return parseDecision(answer.text, model, address);
}

function decisionAddress(url: string, model: string): string {
  if (!URL.canParse(url) || !/^https?:/.test(url)) {
    const message = `--collector is ${JSON.stringify(url)}, which is not an address such as https://collector.example.`;
    throw new InsituError("input_invalid", message, { url });
  }
  return `${url.replace(/\/+$/, "")}/v1/rollouts/${encodeURIComponent(model)}`;
}

export function parseDecision(text: string, model: string, where: string): Decision {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw nonsense(where, "is not JSON", cause);
  }
  const root = isObject(value) ? value : refuse(where, "is not an object");
  if (root.model !== model) refuse(where, `is about ${JSON.stringify(root.model)}, not about ${model}`);
  const { at } = root;
  if (typeof at !== "number" && typeof at !== "string") refuse(where, "has no time");
  return {
    model,
    at: at as string | number,
    control: side(root.control, "control", where),
    candidate: root.candidate === null ? null : side(root.candidate, "candidate", where),
    action: oneOf(root.action, ACTIONS, "action", where),
    reason: oneOf(root.reason, REASONS, "reason", where),
    missing: texts(root.missing),
    evidence: Array.isArray(root.evidence)
      ? root.evidence.map((item) => evidence(item, where))
      : refuse(where, "has no list of evidence"),
  };
}

function side(value: unknown, name: string, where: string): DecisionSide {
  if (!isObject(value) || typeof value.version !== "string") return refuse(where, `has no version of the ${name}`);
  return { version: value.version, arm: String(value.arm), n: count(value.n, name, where) };
}

function evidence(value: unknown, where: string): Evidence {
  if (!isObject(value) || typeof value.metric !== "string") return refuse(where, "has evidence without a metric");
  const { metric } = value;
  const figures = (["difference", "low", "high", "p", "alpha"] as const).map(
    (key) => [key, number(value[key])] as const,
  );
  return {
    metric,
    trusted: value.trusted === true,
    control: figure(value.control, metric, where),
    candidate: figure(value.candidate, metric, where),
    ...Object.fromEntries(figures.filter(([, found]) => found !== undefined)),
    verdict: oneOf(value.verdict, VERDICTS, `the verdict on ${metric}`, where),
    missing: texts(value.missing),
  };
}

/** Absent in older collectors. */
const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];

function figure(value: unknown, metric: string, where: string): Figure {
  if (!isObject(value)) return refuse(where, `has no figures of ${metric}`);
  const known = (["value", "low", "high"] as const).map((key) => [key, number(value[key])] as const);
  return { n: count(value.n, metric, where), ...Object.fromEntries(known.filter(([, one]) => one !== undefined)) };
}

/** JSON has no NaN: what is not known is null. */
const number = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined;

function count(value: unknown, name: string, where: string): number {
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value;
  return refuse(where, `has no number of observations of ${name}`);
}

function oneOf<T extends string>(value: unknown, choices: readonly T[], name: string, where: string): T {
  return choices.find((choice) => choice === value) ?? refuse(where, `has ${JSON.stringify(value)} as ${name}`);
}

function refuse(where: string, problem: string): never {
  throw nonsense(where, problem);
}

function nonsense(where: string, problem: string, cause?: unknown): InsituError {
  const message = `The answer of ${where} ${problem}. Check that it is the address of a collector of this version.`;
  return new InsituError("model_format", message, { url: where }, { cause });
}
