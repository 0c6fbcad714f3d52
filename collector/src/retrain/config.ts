// Reads and validates `retrain.json`: which triggers each model has, and the webhook that they call.
import { readFileSync } from "node:fs";
import { Cron } from "croner";
import { z } from "zod";

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DAY = 86_400_000;
// Longer than any collector keeps points, and short enough for every sum of two.
const MAX_DURATION = 3_660 * DAY;

/** Milliseconds as a number, or a text such as `30d`, `6h`, `10m`, `15s`, `500ms`. */
function duration(min: number, max = MAX_DURATION) {
  const wanted = `write milliseconds, or a text such as "30d", "6h", "10m", "15s" or "500ms", from ${min} ms to ${max} ms`;
  return z.union([z.number(), z.string()], wanted).transform((value, context) => {
    const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(String(value)) ?? [];
    const ms = typeof value === "number" ? value : Number(amount) * (UNITS[unit] ?? Number.NaN);
    if (ms >= min && ms <= max) return Math.round(ms);
    context.addIssue({ code: "custom", message: wanted });
    return z.NEVER;
  });
}

const share = z.number("write a number over 0 and under 1").gt(0, "must be over 0").lt(1, "must be under 1");
const count = (min: number, max: number) => {
  const wanted = `write a whole number from ${min} to ${max}`;
  return z.int(wanted).min(min, wanted).max(max, wanted);
};

/** croner says what is wrong with an expression or a time zone. */
function cronProblem(expression: string, timezone: string): string | undefined {
  try {
    const next = new Cron(expression, { timezone, paused: true }).nextRun();
    return next ? undefined : "never comes due";
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^CronPattern: /, "") : String(error);
  }
}

const age = z
  .strictObject({
    max: duration(1_000).optional(),
    cron: z.string().optional(),
    timeZone: z.string().default("UTC"),
  })
  .superRefine(({ max, cron, timeZone }, context) => {
    if (max === undefined && cron === undefined)
      context.addIssue({ code: "custom", message: 'needs "max" (an age such as "30d") or "cron" ("0 3 * * 1")' });
    const problem = cron === undefined ? undefined : cronProblem(cron, timeZone);
    if (problem) context.addIssue({ code: "custom", path: ["cron"], message: `"${cron}" in ${timeZone}: ${problem}` });
  });

const accuracy = z
  .strictObject({
    baseline: share,
    delta: share.default(0.03),
    window: duration(1_000).default(DAY),
    windows: count(1, 20).default(3),
    // Fewer labels say nothing.
    minLabels: count(10, 1_000_000).default(100),
  })
  .refine(({ baseline, delta }) => delta < baseline, { path: ["delta"], message: "must be under the baseline" });

const drift = z.strictObject({
  confidence: share.default(0.002),
  lookBack: duration(60_000).default(30 * DAY),
  minLabels: count(30, 1_000_000).default(300),
});

const estimate = z
  .strictObject({
    floor: share,
    margin: share.default(0.02),
    window: duration(1_000).default(DAY),
    windows: count(1, 20).default(3),
    minPredictions: count(30, 1_000_000_000).default(500),
  })
  .refine(({ floor, margin }) => floor + margin < 1, { path: ["margin"], message: "floor + margin must be under 1" });

const labels = z.strictObject({ count: count(1, 1_000_000_000) });

const triggers = z
  .strictObject({
    age: age.optional(),
    accuracy: accuracy.optional(),
    drift: drift.optional(),
    estimate: estimate.optional(),
    labels: labels.optional(),
  })
  .refine((all) => Object.values(all).some((one) => one !== undefined), {
    message: "needs at least one of age, accuracy, drift, estimate, labels",
  });

// A secret that can be guessed is none: 16 characters of base64 are 96 bits.
const MIN_SECRET = 16;

const webhook = z
  .strictObject({
    url: z.string().refine(isWebAddress, "write an address that begins with https:// or http://, without a user name"),
    secret: z.string().optional(),
    secretEnv: z.string().optional(),
    headers: z
      .record(z.string(), z.string())
      .default({})
      .refine(areHeaders, "has a name or a value no header can have"),
    timeout: duration(100, 120_000).default(10_000),
    attempts: count(1, 50).default(10),
    firstDelay: duration(10, DAY).default(30_000),
    maxDelay: duration(10, DAY).default(2 * 3_600_000),
  })
  .transform(({ secret, secretEnv, ...rest }, context) => {
    const fail = (message: string) => {
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    };
    if ((secret === undefined) === (secretEnv === undefined))
      return fail('needs either "secretEnv", the name of an environment variable with the secret, or "secret"');
    const value = secret ?? process.env[secretEnv ?? ""] ?? "";
    const where = secretEnv === undefined ? '"secret"' : `the environment variable ${secretEnv}`;
    if (value.length < MIN_SECRET) return fail(`${where} must have at least ${MIN_SECRET} characters`);
    return { ...rest, secret: value };
  });

const model = z.strictObject({
  webhook,
  triggers,
  coolDown: duration(0).default(DAY),
  runLimit: duration(100).default(6 * 3_600_000),
});

const file = z.strictObject({
  checkEvery: duration(50, DAY).default(300_000),
  models: z
    .record(z.string().min(1).max(128), model)
    .refine((all) => Object.keys(all).length > 0, "names no model")
    .refine((all) => Object.keys(all).length <= 100, "names more than 100 models"),
});

/** What a site writes: see docs/guides/retraining.md. */
export type RetrainOptions = z.input<typeof file>;
/** With all defaults; durations are milliseconds. */
export type RetrainConfig = z.output<typeof file>;
export type ModelConfig = RetrainConfig["models"][string];
export type TriggerConfig = ModelConfig["triggers"];
export type WebhookConfig = ModelConfig["webhook"];

function isWebAddress(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "";
}

function areHeaders(given: Record<string, string>): boolean {
  try {
    new Headers(given);
    return true;
  } catch {
    return false;
  }
}

/** Throws an Error whose message names each field that is wrong, and what it must be. */
export function parseRetrain(value: unknown, where = "retrain"): RetrainConfig {
  const { success, data, error } = file.safeParse(value);
  if (success) return data;
  const lines = error.issues.map(({ path, message }) => `  ${path.join(".") || "the file"}: ${message}`);
  throw new Error(`${where} is not valid:\n${lines.join("\n")}`);
}

/** Of `--retrain`. Throws an Error that names the file and what is wrong with it. */
export function readRetrainFile(path: string): RetrainOptions {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`--retrain ${path} cannot be read as JSON: ${reason}`, { cause });
  }
  parseRetrain(content, path);
  return content as RetrainOptions;
}
