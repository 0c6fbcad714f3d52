// Starts runs, ends those without word, and changes them as the receiver or the operator says.
import { randomBytes } from "node:crypto";
import { HttpError } from "../errors.js";
import type { ModelConfig } from "./config.js";
import { hasFailed, isOpen, type ModelMemory, type Run } from "./run.js";
import type { RunStore } from "./run-store.js";
import { TRIGGERS, type Verdict } from "./triggers.js";

/** What `POST /v1/retrain/:id` takes. */
export interface RunReport {
  state: "running" | "done" | "failed";
  /** The version that the run made. */
  version?: string | undefined;
  detail?: string | undefined;
}

/** Several triggers that are met together are one run: the strongest names it, the others are in its evidence. */
export async function fire(store: RunStore, memory: ModelMemory, met: readonly Verdict[], now: number): Promise<void> {
  const [first, ...others] = [...met].sort((a, b) => TRIGGERS.indexOf(a.trigger) - TRIGGERS.indexOf(b.trigger));
  if (!first) return;
  const also = others.map(({ trigger, evidence }) => ({ trigger, ...evidence }));
  const run: Run = {
    id: randomBytes(16).toString("hex"),
    model: memory.model,
    version: memory.version,
    trigger: first.trigger,
    evidence: also.length > 0 ? { ...first.evidence, also } : first.evidence,
    firedAt: now,
    state: "pending",
    changedAt: now,
    nextAt: now,
    tries: 0,
    newVersion: null,
    detail: "",
    attempts: [],
  };
  const disarmed = [...new Set([...memory.disarmed, ...met.map(({ trigger }) => trigger)])];
  await store.start(run, { ...memory, disarmed });
  console.log(`Retraining of ${run.model} ${run.version} was triggered by ${run.trigger}: run ${run.id}.`);
}

/** A receiver that took the webhook and died would block its model for good. */
export async function expire(store: RunStore, model: string, { runLimit }: ModelConfig, now: number): Promise<void> {
  for (const { id } of store.runs(model))
    await store.change(id, ({ state, changedAt }) => {
      const isLate = (state === "sent" || state === "running") && now - changedAt > runLimit;
      if (!isLate) return undefined;
      const detail = `There was no word of the run for ${runLimit} ms (runLimit), so it counts as failed.`;
      return { state: "expired", changedAt: now, detail };
    });
}

/** Throws `HttpError` 404 and 409. */
export async function takeReport(store: RunStore, id: string, report: RunReport, now: number): Promise<Run> {
  const { state, version, detail } = report;
  const run = await store.change(id, (run) => {
    // A word that comes again changes nothing, except that it shows that the run is alive.
    if (run.state === state && state !== "running") return undefined;
    if (run.state === "done" || run.state === "failed") throw conflict(`The run ${id} is ${run.state} already.`);
    if (state === "running" && !isOpen(run)) refuseSecond(store, run);
    return {
      state,
      changedAt: now,
      nextAt: null,
      newVersion: version ?? run.newVersion,
      detail: detail ?? (isOpen(run) ? run.detail : ""),
    };
  });
  return run ?? unknown(id);
}

/** Delivers the webhook of a failed run once more, with the same id. Throws `HttpError` 404 and 409. */
export async function retryRun(store: RunStore, id: string, now: number): Promise<Run> {
  const run = await store.change(id, (run) => {
    if (!hasFailed(run))
      throw conflict(`The run ${id} is ${run.state}; only one that is dead, failed or expired can be sent again.`);
    refuseSecond(store, run);
    return { state: "pending", changedAt: now, nextAt: now, tries: 0, detail: "" };
  });
  return run ?? unknown(id);
}

function refuseSecond(store: RunStore, { model, id }: Run): void {
  const other = store.runs(model).find((run) => run.id !== id && isOpen(run));
  if (other) throw conflict(`The run ${other.id} of ${model} is ${other.state}; wait for its end.`);
}

const conflict = (message: string) => new HttpError(409, message);

function unknown(id: string): never {
  throw new HttpError(404, `There is no run ${id}; GET /v1/retrain lists them.`);
}
