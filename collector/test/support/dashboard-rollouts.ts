// Invents what the collector's routes of rollouts, drift and retraining respond, for the dashboard's tests.
import type { ChannelChange, Retraining } from "../../dashboard/rollout/data.js";
import type { DriftReport } from "../../src/drift/drift-types.js";
import type { Decision, Evidence, HistoryEntry } from "../../src/rollout/decision-types.js";
import { wilson } from "./dashboard-report.js";

/** By model; what is missing is a 404. */
export interface RolloutResponses {
  decisions: Record<string, Decision>;
  changes: Record<string, ChannelChange[]>;
  drift: DriftReport[];
  retrain: Retraining[] | null;
}

export function noRollouts(): RolloutResponses {
  return { decisions: {}, changes: {}, drift: [], retrain: null };
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** The same for the same time; the channel changed half an hour ago. */
export function rolloutsAt(now: number): RolloutResponses {
  return {
    decisions: { digits: decision(now), objects: noCandidate(now) },
    changes: { digits: changes(now) },
    drift: drift(now),
    retrain: retraining(now),
  };
}

function changes(now: number): ChannelChange[] {
  const stable = (weight: number) => ({ version: "1.2.0", role: "stable", weight });
  const canary = (weight: number) => ({ version: "1.3.0", role: "canary", weight });
  return [
    {
      release: 9,
      at: now - 30 * MINUTE,
      by: "ci@example.org",
      why: "The guardrails were quiet for a day, so one in ten browsers gets it",
      arms: [stable(90), canary(10), { version: "1.4.0-rc.1", role: "shadow", weight: 0 }],
    },
    { release: 8, at: now - 26 * HOUR, by: "ci@example.org", why: "", arms: [stable(99), canary(1)] },
    { release: 7, at: now - 40 * 24 * HOUR, by: "", why: "First release", arms: [stable(1)] },
  ];
}

function share(n: number, right: number) {
  return { n, value: right / n, ...wilson(right, n) };
}

function decision(now: number): Decision {
  const grown: HistoryEntry[] = Array.from({ length: 14 }, (_, i) => {
    const width = 0.16 / Math.sqrt(i + 1);
    const difference = 0.021 - 0.03 / (i + 2);
    return {
      at: now - (14 - i) * 2 * HOUR,
      action: i < 12 ? "hold" : "promote",
      reason: i < 8 ? "not_enough" : i < 12 ? "untrusted" : "not_worse",
      control: "1.2.0",
      candidate: "1.3.0",
      evidence: [
        entry("accuracy", true, difference, width),
        entry("accuracy", false, difference + 0.004, width * 0.8),
        entry("latency", false, -0.42 + 0.1 / (i + 1), width * 2),
      ],
    };
  });
  const evidence: Evidence[] = [
    {
      metric: "accuracy",
      trusted: true,
      control: share(1000, 967),
      candidate: share(212, 209),
      difference: 0.0189,
      low: -0.0238,
      high: 0.0616,
      p: 0.41,
      alpha: 0.025,
      verdict: "unknown",
      missing: [],
    },
    {
      metric: "errors",
      trusted: false,
      control: share(11_381, 47),
      candidate: share(940, 2),
      difference: -0.002,
      low: -0.011,
      high: 0.0069,
      p: 0.72,
      alpha: 0.0125,
      verdict: "equivalent",
      missing: [],
    },
    {
      metric: "latency",
      trusted: false,
      control: { n: 11_334, value: 0.0048, low: 0.0046, high: 0.005 },
      candidate: { n: 938, value: 0.0028, low: 0.0026, high: 0.0031 },
      difference: -0.41,
      low: -0.47,
      high: -0.36,
      p: 1,
      alpha: 0.0125,
      verdict: "better",
      missing: [],
    },
    {
      metric: "shadow_agreement",
      trusted: false,
      control: share(940, 940),
      candidate: share(940, 918),
      difference: -0.0234,
      low: -0.04,
      high: -0.012,
      p: 0.00003,
      alpha: 0.0125,
      verdict: "worse",
      missing: [],
    },
  ];
  return {
    model: "digits",
    at: now,
    action: "promote",
    reason: "not_worse",
    since: now - 26 * HOUR,
    control: { version: "1.2.0", arm: "stable", n: 11_381 },
    candidate: { version: "1.3.0", arm: "canary", n: 940 },
    missing: [],
    evidence,
    history: grown,
  };
}

function noCandidate(now: number): Decision {
  const control = { version: "2.0.1", arm: "stable", n: 1908 };
  return {
    model: "objects",
    at: now,
    action: "hold",
    reason: "no_candidate",
    since: null,
    control,
    candidate: null,
    missing: [],
    evidence: [],
    history: [],
  };
}

function entry(
  metric: Evidence["metric"],
  trusted: boolean,
  difference: number,
  width: number,
): HistoryEntry["evidence"][number] {
  const [low, high] = [difference - width, difference + width];
  const verdict = low > 0 ? "better" : high < 0 ? "worse" : low > -0.02 ? "equivalent" : "unknown";
  return { metric, trusted, difference, low, high, verdict };
}

function drift(now: number): DriftReport[] {
  const uniform = new Array<number>(20).fill(0.05);
  const shifted = Array.from({ length: 20 }, (_, i) => (1.9 - (1.8 * i) / 19) / 20);
  const wavy = Array.from({ length: 20 }, (_, i) => (1 + 0.08 * Math.sin(i)) / 20);
  const one = (target: string, reference: number[], current: number[], more: Partial<DriftReport>): DriftReport => ({
    model: "digits",
    version: "1.2.0",
    arm: "stable",
    target,
    n: 8214,
    from: now - 24 * HOUR,
    to: now,
    psi: 0.012,
    js: 0.041,
    wasserstein: 0.01,
    chi2: { statistic: 19.4, p: 0.43 },
    ks: { statistic: 0.012, p: 0.71 },
    threshold: 0.1,
    isDrift: false,
    since: null,
    reference,
    current,
    ...more,
  });
  return [
    one("image.brightness", uniform, shifted, {
      psi: 0.312,
      js: 0.2,
      chi2: { statistic: 2210, p: 1e-30 },
      ks: { statistic: 0.23, p: 1e-30 },
      isDrift: true,
      since: now - 31 * HOUR,
    }),
    one("image.contrast", uniform, wavy, {}),
    one("confidence", [...new Array(19).fill(0.01), 0.81], [...new Array(19).fill(0.012), 0.772], {}),
    one("image.brightness.missing", [0.99, 0.01], [0.985, 0.015], { n: 8337 }),
    one("classes", new Array(10).fill(0.1), [0.12, 0.11, 0.1, 0.09, 0.1, 0.1, 0.09, 0.1, 0.1, 0.09], {
      n: 420,
      threshold: 0.16,
    }),
  ];
}

function retraining(now: number): Retraining[] {
  const attempt = { number: 1, at: now, result: "ok", status: 200, detail: "", durationMs: 40 };
  return [
    {
      model: "digits",
      version: "1.2.0",
      coolsUntil: now + 20 * HOUR,
      checkedAt: now - MINUTE,
      triggers: [
        { trigger: "accuracy", isMet: false, isArmed: true, heldBack: null },
        { trigger: "drift", isMet: true, isArmed: true, heldBack: "cool_down" },
        { trigger: "labels", isMet: true, isArmed: false, heldBack: "not_recovered" },
      ],
      runs: [
        {
          id: "0123456789abcdef0123456789abcdef",
          version: "1.2.0",
          trigger: "drift",
          firedAt: now - 4 * HOUR,
          state: "running",
          newVersion: null,
          detail: "epoch 3 of 10",
          attempts: [attempt, attempt],
        },
        {
          id: "fedcba9876543210fedcba9876543210",
          version: "1.1.0",
          trigger: "age",
          firedAt: now - 32 * 24 * HOUR,
          state: "done",
          newVersion: "1.2.0",
          detail: "",
          attempts: [attempt],
        },
      ],
    },
  ];
}
