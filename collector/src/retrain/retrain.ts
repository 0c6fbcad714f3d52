// Watches the models of `retrain.json`: checks their triggers at an interval, starts runs, and takes the receiver's reports.
import type { OwnMetric } from "../prometheus.js";
import type { Store } from "../store.js";
import type { ModelConfig, RetrainConfig } from "./config.js";
import { clocksOf, coolsUntil, type HeldBack, holdOf, rearm, remember } from "./cycle.js";
import { createDeliveries, type Deliveries } from "./deliveries.js";
import { expire, fire, type RunReport, retryRun, takeReport } from "./lifecycle.js";
import { createCounts, retrainMetrics } from "./metrics.js";
import { observe, stableVersion } from "./observe.js";
import type { Attempt, Run } from "./run.js";
import { RunStore } from "./run-store.js";
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

export interface RetrainDeps {
  store: Pick<Store, "series" | "slots" | "write" | "read">;
  config: RetrainConfig;
  /** The stable version, where it is known better than from telemetry, such as from the channel. */
  versionOf?: (model: string) => string | undefined;
  /** Epoch milliseconds. */
  now?: () => number;
}

const MAX_SHOWN = 100;

/** Watches the models of `retrain.json`. */
export class Retrain {
  readonly #deps: RetrainDeps;
  readonly #runs: RunStore;
  readonly #counts = createCounts();
  readonly #deliveries: Deliveries;
  readonly #checks = new Map<string, Pick<RetrainStatus, "checkedAt" | "triggers">>();
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  private constructor(deps: RetrainDeps, runs: RunStore) {
    this.#deps = deps;
    this.#runs = runs;
    const onAttempt = (result: Attempt["result"]) => {
      this.#counts.attempts[result] += 1;
    };
    this.#deliveries = createDeliveries(
      runs,
      (model) => this.#configOf(model),
      onAttempt,
      () => this.#now(),
    );
  }

  static async open(deps: RetrainDeps): Promise<Retrain> {
    return new Retrain(deps, await RunStore.open(deps.store));
  }

  /** Begins: the first check is after `checkEvery`; what the last run of the collector left is delivered at once. */
  start(): void {
    this.#deliveries.wake();
    this.#loop();
  }

  /** Checks all models now; a check that runs is waited for. */
  check(): Promise<void> {
    this.#running ??= this.#checkAll().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  status(wanted?: string): RetrainStatus[] {
    return Object.entries(this.#deps.config.models)
      .filter(([model]) => wanted === undefined || model === wanted)
      .map(([model, config]) => {
        const runs = this.#runs.runs(model);
        return {
          model,
          version: this.#runs.memory(model)?.version || null,
          coolsUntil: coolsUntil(runs, config, this.#now()),
          ...(this.#checks.get(model) ?? { checkedAt: null, triggers: [] }),
          runs: runs.slice(0, MAX_SHOWN),
        };
      });
  }

  report(id: string, report: RunReport): Promise<Run> {
    return takeReport(this.#runs, id, report, this.#now());
  }

  async retry(id: string): Promise<Run> {
    const run = await retryRun(this.#runs, id, this.#now());
    this.#deliveries.wake();
    return run;
  }

  metrics(): OwnMetric[] {
    return retrainMetrics(Object.keys(this.#deps.config.models), this.#runs, this.#counts);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#deliveries.close();
    await this.#running?.catch(() => undefined);
  }

  #now(): number {
    return (this.#deps.now ?? Date.now)();
  }

  #configOf(model: string): ModelConfig | undefined {
    const { models } = this.#deps.config;
    return Object.hasOwn(models, model) ? models[model] : undefined;
  }

  #loop(): void {
    if (this.#isClosed) return;
    const check = () =>
      void this.check()
        .catch((error) => console.error(`The retraining triggers could not be checked: ${error}`))
        .finally(() => this.#loop());
    this.#timer = setTimeout(check, this.#deps.config.checkEvery).unref();
  }

  async #checkAll(): Promise<void> {
    const time = this.#now();
    const models = Object.entries(this.#deps.config.models);
    await this.#runs.clamp(time, Math.max(...models.map(([, { webhook }]) => webhook.maxDelay)));
    for (const [model, config] of models) {
      if (this.#isClosed) return;
      const triggers = await checkModel({ ...this.#deps, runs: this.#runs }, model, config, time).catch((error) => {
        this.#counts.failedChecks += 1;
        console.error(`The retraining triggers of ${model} could not be checked: ${error}`);
        return undefined;
      });
      if (triggers) this.#checks.set(model, { checkedAt: time, triggers });
    }
    this.#deliveries.wake();
  }
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
