// Watches the models of `retrain.json`: checks their triggers at an interval, starts runs, and takes the receiver's reports.
import type { OwnMetric } from "../prometheus.js";
import type { Store } from "../store.js";
import type { ModelConfig, RetrainConfig } from "./config.js";
import { clocksOf, coolsUntil, type HeldBack, holdOf, rearm, remember } from "./cycle.js";
import { createDeliveries } from "./deliveries.js";
import { expire, fire, type RunReport, retryRun, takeReport } from "./lifecycle.js";
import { createCounts, retrainMetrics } from "./metrics.js";
import { observe, stableVersion } from "./observe.js";
import type { Run } from "./run.js";
import { openRunStore, type RunStore } from "./run-store.js";
import { judge, type Verdict } from "./triggers.js";

/** Of `GET /v1/retrain`; times are epoch milliseconds. */
export interface RetrainStatus {
  model: string;
  version: string | null;
  /** When the cool-down ends; null when none runs. */
  coolsUntil: number | null;
  checkedAt: number | null;
  /** As of the last check. `heldBack`: why a trigger that is met did not fire. */
  triggers: (Verdict & { isArmed: boolean; heldBack: HeldBack | null })[];
  /** The newest first, 100 at most. */
  runs: readonly Run[];
}

export interface Retrain {
  /** Begins: the first check is after `checkEvery`; what the last run of the collector left is delivered at once. */
  start(): void;
  /** Checks all models now; a check that runs is waited for. */
  check(): Promise<void>;
  status(model?: string): RetrainStatus[];
  report(id: string, report: RunReport): Promise<Run>;
  retry(id: string): Promise<Run>;
  metrics(): OwnMetric[];
  close(): Promise<void>;
}

export interface RetrainDeps {
  store: Pick<Store, "series" | "slots" | "write" | "read">;
  config: RetrainConfig;
  /** The stable version, where it is known better than from telemetry, such as from the channel. */
  versionOf?: (model: string) => string | undefined;
  /** Epoch milliseconds. */
  now?: () => number;
}

const MAX_SHOWN = 100;

export async function openRetrain({ store, config, versionOf, now = Date.now }: RetrainDeps): Promise<Retrain> {
  const runs = await openRunStore(store);
  const counts = createCounts();
  const configOf = (model: string): ModelConfig | undefined =>
    Object.hasOwn(config.models, model) ? config.models[model] : undefined;
  const deliveries = createDeliveries(runs, configOf, (result) => counts.attempts[result]++, now);
  const checks = new Map<string, Pick<RetrainStatus, "checkedAt" | "triggers">>();
  const names = Object.keys(config.models);
  let running: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  const checkAll = async () => {
    const time = now();
    const maxWait = Math.max(...Object.values(config.models).map(({ webhook }) => webhook.maxDelay));
    await runs.clamp(time, maxWait);
    for (const [model, settings] of Object.entries(config.models)) {
      if (isClosed) return;
      const checked = await checkModel({ store, runs, versionOf }, model, settings, time).catch((error) => {
        counts.failedChecks += 1;
        console.error(`The retraining triggers of ${model} could not be checked: ${error}`);
        return undefined;
      });
      if (checked) checks.set(model, { checkedAt: time, triggers: checked });
    }
    deliveries.wake();
  };

  const check = (): Promise<void> => {
    running ??= checkAll().finally(() => {
      running = undefined;
    });
    return running;
  };
  const loop = () => {
    if (isClosed) return;
    timer = setTimeout(
      () =>
        void check()
          .catch((error) => console.error(`The retraining triggers could not be checked: ${error}`))
          .finally(loop),
      config.checkEvery,
    ).unref();
  };

  return {
    start() {
      deliveries.wake();
      loop();
    },
    check,
    status: (wanted) =>
      names
        .filter((model) => wanted === undefined || model === wanted)
        .map((model) => ({
          model,
          version: runs.memory(model)?.version || null,
          coolsUntil: coolsUntil(runs.runs(model), config.models[model] as ModelConfig, now()),
          ...(checks.get(model) ?? { checkedAt: null, triggers: [] }),
          runs: runs.runs(model).slice(0, MAX_SHOWN),
        })),
    report: (id, report) => takeReport(runs, id, report, now()),
    async retry(id) {
      const run = await retryRun(runs, id, now());
      deliveries.wake();
      return run;
    },
    metrics: () => retrainMetrics(names, runs, counts),
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await deliveries.close();
      await running?.catch(() => undefined);
    },
  };
}

type Shown = RetrainStatus["triggers"][number];

async function checkModel(
  { store, runs, versionOf }: Pick<RetrainDeps, "store" | "versionOf"> & { runs: RunStore },
  model: string,
  config: ModelConfig,
  now: number,
): Promise<Shown[]> {
  await expire(runs, model, config, now);
  const { triggers } = config;
  const version = versionOf?.(model) ?? (await stableVersion(store, model, now)) ?? "";
  const known = runs.memory(model);
  const memory = remember(known, model, version, now);
  const clocks = clocksOf(memory, runs.runs(model), now);
  const observed = await observe(store, { model, version: memory.version, triggers, now, from: clocks.labelsFrom });
  const verdicts = judge(triggers, observed, clocks);
  const next = rearm(memory, verdicts, runs.runs(model));
  const hold = holdOf(runs.runs(model), config, now);
  const shown = verdicts.map((verdict): Shown => {
    const isArmed = !next.disarmed.includes(verdict.trigger);
    const heldBack = isArmed ? hold : "not_recovered";
    return { ...verdict, isArmed, heldBack: verdict.isMet ? heldBack : null };
  });
  // Without a version there is nothing to retrain.
  const met = memory.version === "" ? [] : shown.filter(({ isMet, isArmed }) => isMet && isArmed);
  // A cron time that is held back is over; an age is not.
  if (met.some(({ trigger }) => trigger === "age")) next.cronAt = now;
  if (met.length > 0 && hold === null) await fire(runs, next, met, now);
  else if (JSON.stringify(next) !== JSON.stringify(known)) await runs.remember(next);
  return shown;
}
