// What follows from a load that failed.
import { afterEach, describe, expect, test, vi } from "vitest";
import { blockOf, createBackoff } from "../../../../../src/page/lazy/rollout/load-failures.js";
import { ERROR_CODES, type ErrorCode, InsituError } from "../../../../../src/shared/errors.js";
import type { Channel } from "../../../../../src/shared/types/rollout.js";

const CHANNEL: Channel = { model: "m", release: 5, salt: "s", arms: [] };

describe("a load that failed", () => {
  const target = {
    package: "https://host.example/m/3.0.0/",
    version: "3.0.0",
    role: "canary",
    maxCrashes: 2,
    arm: { package: "./3.0.0/", version: "3.0.0", role: "canary", weight: 1 },
  } as const;
  const blockFor = (code: ErrorCode, data = {}) => blockOf(target, new InsituError(code, "why", data), CHANNEL);
  const lasting = new Set<ErrorCode>([
    "model_integrity",
    "model_signature",
    "model_rollback",
    "model_format",
    "model_too_large",
  ]);
  test.each(ERROR_CODES)("with %s blocks the version only if it is the version's own fault", (code) => {
    expect(blockFor(code) !== undefined).toBe(lasting.has(code));
  });
  test("since the page asked for another task blocks nothing", () => {
    expect(blockFor("model_format", { task: "raw", wanted: "detection" })).toBeUndefined();
  });
  test("is told with the release from which on it is tried again", () => {
    expect(blockFor("model_integrity")).toMatchObject({ version: "3.0.0", reason: "load", detail: "why", release: 5 });
  });
});

describe("a version that may work later", () => {
  afterEach(() => void vi.useRealTimers());
  test("rests for one interval, then for two, four …, at most 256", () => {
    vi.useFakeTimers();
    const backoff = createBackoff(1_000);
    for (const intervals of [1, 2, 4, 8, 16, 32, 64, 128, 256, 256]) {
      backoff.failed("a");
      vi.advanceTimersByTime(intervals * 1_000 - 1);
      expect([backoff.isResting("a"), backoff.isResting("b")]).toEqual([true, false]);
      vi.advanceTimersByTime(1);
      expect(backoff.isResting("a")).toBe(false);
    }
    backoff.failed("a");
    backoff.clear();
    expect(backoff.isResting("a")).toBe(false);
  });
});
