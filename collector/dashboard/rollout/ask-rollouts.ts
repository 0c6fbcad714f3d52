// Asks the collector about rollouts, drift and retraining; what cannot be had is left out, with the reason.

import type { DriftReport } from "../../src/drift/drift-types.js";
import type { Decision } from "../../src/rollout/decision-types.js";
import type { ChannelChange, Retraining, Rollouts, Told } from "./data.js";

// The routes are one a model, and the page asks for four things of each: of many models the first ones.
const MOST_MODELS = 8;
const PATIENCE_MS = 8_000;

export async function fetchRollouts(
  models: readonly string[],
  token: string | null,
  stop: AbortSignal,
): Promise<Rollouts> {
  const ask = <T>(path: string, isRight: (body: unknown) => boolean) => fetchOne<T>(path, token, stop, isRight);
  const rollouts = { decisions: new Map(), changes: new Map(), drift: new Map() };
  const retrain = ask<readonly Retraining[]>("../v1/retrain", Array.isArray);
  // One model after the other: the collector limits what one reader asks at a time.
  for (const model of models.slice(0, MOST_MODELS)) {
    const name = encodeURIComponent(model);
    const [decision, changes, drift] = await Promise.all([
      ask<Decision>(`../v1/rollouts/${name}`, isDecision),
      ask<readonly ChannelChange[]>(`../v1/channels/${name}/history`, Array.isArray),
      ask<readonly DriftReport[]>(`../v1/drift?model=${name}`, Array.isArray),
    ]);
    rollouts.decisions.set(model, decision);
    rollouts.changes.set(model, changes);
    rollouts.drift.set(model, drift);
  }
  return { ...rollouts, retrain: await retrain };
}

// What is not set up stays so until somebody does it; the browser writes each 404 into its console.
const ASK_AGAIN_MS = 600_000;
/** When a path was answered with 404. */
const missing = new Map<string, number>();

async function fetchOne<T>(
  path: string,
  token: string | null,
  stop: AbortSignal,
  isRight: (body: unknown) => boolean,
): Promise<Told<T>> {
  if (Date.now() - (missing.get(path) ?? Number.NEGATIVE_INFINITY) < ASK_AGAIN_MS) return { data: null, why: "" };
  try {
    const response = await fetch(new URL(path, document.baseURI), {
      headers: token ? { authorization: `Bearer ${token}` } : {},
      signal: AbortSignal.any([stop, AbortSignal.timeout(PATIENCE_MS)]),
      cache: "no-store",
    });
    const body = await response.json().catch(() => null);
    if (response.ok && isRight(body)) return { data: body as T, why: "" };
    if (response.status !== 404) return { data: null, why: `The collector responded with ${response.status}.` };
    // It is not set up, or nothing came; the sections say how to get it.
    missing.set(path, Date.now());
    return { data: null, why: "" };
  } catch {
    return { data: null, why: "The collector did not respond." };
  }
}

function isDecision(body: unknown): boolean {
  const decision = body as Partial<Decision> | null;
  return typeof decision?.action === "string" && Array.isArray(decision.evidence) && Array.isArray(decision.history);
}
