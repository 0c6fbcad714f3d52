// What a file of `--retrain` may hold: each mistake is named with its place and what to write instead.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parseRetrain } from "../src/retrain/config.js";
import { command, temporaryFolder } from "./support/run.js";

const webhook = { url: "https://ci.example/hooks", secret: "0123456789abcdef" };
const triggers = { labels: { count: 100 } };
const file = (model: unknown) => ({ models: { digits: model } });

it("fills in the defaults, and reads durations", () => {
  const { checkEvery, models } = parseRetrain(
    file({
      webhook: { ...webhook, timeout: "15s" },
      triggers: { accuracy: { baseline: 0.9, window: "6h" } },
      coolDown: "1.5h",
    }),
  );
  expect(checkEvery).toBe(300_000);
  expect(models.digits).toMatchObject({
    webhook: { timeout: 15_000, attempts: 10, firstDelay: 30_000, maxDelay: 7_200_000 },
    triggers: { accuracy: { baseline: 0.9, delta: 0.03, window: 21_600_000, windows: 3, minLabels: 100 } },
    coolDown: 5_400_000,
    runLimit: 21_600_000,
  });
  // Ten attempts, each after at least half of the longest wait, are more than an hour and a half.
  const waits = Array.from({ length: 9 }, (_, i) => Math.min(7_200_000, 30_000 * 2 ** i) / 2);
  expect(waits.reduce((a, b) => a + b)).toBeGreaterThan(1.5 * 3_600_000);
});

it("takes the secret from the environment", () => {
  process.env.RETRAIN_TEST_SECRET = "fedcba9876543210";
  const given = file({ webhook: { url: webhook.url, secretEnv: "RETRAIN_TEST_SECRET" }, triggers });
  expect(parseRetrain(given).models.digits?.webhook.secret).toBe("fedcba9876543210");
  delete process.env.RETRAIN_TEST_SECRET;
  expect(() => parseRetrain(given)).toThrow("RETRAIN_TEST_SECRET must have at least 16 characters");
});

it.each([
  ["nothing", undefined, "the file: "],
  ["a list", [], "the file: "],
  ["no model", { models: {} }, "models: names no model"],
  ["an unknown field", { models: file({}).models, checkevery: 5 }, 'the file: Unrecognized key: "checkevery"'],
  ["no trigger", file({ webhook, triggers: {} }), "models.digits.triggers: needs at least one of age, accuracy"],
  ["an unknown trigger", file({ webhook, triggers: { accurracy: {} } }), 'Unrecognized key: "accurracy"'],
  ["no webhook", file({ triggers }), "models.digits.webhook: "],
  ["another scheme", file({ webhook: { ...webhook, url: "file:///etc/passwd" }, triggers }), "https:// or http://"],
  ["a password", file({ webhook: { ...webhook, url: "https://a:b@ci.example/" }, triggers }), "without a user name"],
  ["a short secret", file({ webhook: { ...webhook, secret: "x" }, triggers }), "at least 16 characters"],
  ["two secrets", file({ webhook: { ...webhook, secretEnv: "HOME" }, triggers }), "needs either"],
  ["a header", file({ webhook: { ...webhook, headers: { "a b": "c" } }, triggers }), "webhook.headers: has a name"],
  [
    "a duration",
    file({ webhook, triggers, coolDown: "1 week" }),
    'coolDown: write milliseconds, or a text such as "30d"',
  ],
  ["NaN", file({ webhook, triggers, coolDown: Number.NaN }), "coolDown: write milliseconds"],
  ["a negative one", file({ webhook, triggers, coolDown: -1 }), "coolDown: write milliseconds"],
  ["a huge one", file({ webhook, triggers, coolDown: "99999999d" }), "coolDown: write milliseconds"],
  ["a share", file({ webhook, triggers: { accuracy: { baseline: 95 } } }), "baseline: must be under 1"],
  [
    "a delta",
    file({ webhook, triggers: { accuracy: { baseline: 0.5, delta: 0.6 } } }),
    "delta: must be under the baseline",
  ],
  ["a count", file({ webhook, triggers: { labels: { count: 1.5 } } }), "labels.count: write a whole number"],
  ["an empty age", file({ webhook, triggers: { age: {} } }), 'age: needs "max"'],
  ["a cron", file({ webhook, triggers: { age: { cron: "every monday" } } }), 'age.cron: "every monday" in UTC: '],
  ["a time zone", file({ webhook, triggers: { age: { cron: "0 3 * * *", timeZone: "Mars" } } }), "in Mars: "],
  ["a cron that never comes", file({ webhook, triggers: { age: { cron: "0 0 31 2 *" } } }), "never comes due"],
])("refuses %s and says where", (_what, given, message) => {
  expect(() => parseRetrain(given, "retrain.json")).toThrow(message);
  expect(() => parseRetrain(given, "retrain.json")).toThrow("retrain.json is not valid:\n  ");
});

it("the command names the file and the mistake, and ends", () => {
  const folder = temporaryFolder();
  try {
    const path = join(folder.path, "retrain.json");
    const start = () => command("--port", "0", "--data", join(folder.path, "t.db"), "--retrain", path);
    expect(start().stderr).toContain(`--retrain ${path} cannot be read as JSON: ENOENT`);
    writeFileSync(path, "{");
    expect(start().stderr).toContain(`--retrain ${path} cannot be read as JSON: `);
    writeFileSync(path, JSON.stringify({ models: {} }));
    const { stderr, status } = start();
    expect([status, stderr]).toEqual([1, expect.stringContaining(`${path} is not valid:\n  models: names no model`)]);
    expect(command("--help").stdout).toContain("--retrain <file>");
  } finally {
    folder.remove();
  }
});
