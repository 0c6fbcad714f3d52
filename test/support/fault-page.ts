// Runs in a page: loads a package with one failing call of the platform, then in a healthy worker, and returns the outcomes.
import type { Client } from "../../src/index.js";
import { type Kept, kept, read, remove, type Snapshot, write } from "./fault-database.js";

export type Scenario = "cold" | "update" | "warm";

/** The call that is broken: the `n`-th of a kind, from 1. */
export interface Point {
  scenario: Scenario;
  kind: string;
  n: number;
  mode: string;
  /** Milliseconds after which the load is given up. */
  timeout: number;
}

/** What a load came to. */
export interface Attempt {
  source?: string;
  release?: number;
  sum?: number[];
  storeError?: Failure;
  error?: Failure;
  /** It was neither resolved nor rejected long after its deadline. */
  hung?: boolean;
  /** The model runs, and `stored` was not settled before the deadline. */
  untold?: boolean;
  ms: number;
}

export interface Failure {
  name: string;
  code?: string;
  message: string;
  /** Of the deadline that the load was given. */
  timeout?: unknown;
}

export interface Outcome {
  point: Point;
  /** False when the load made fewer such calls. */
  fired: boolean;
  faulted: Attempt;
  /** The same client once more, where it answered that something failed. */
  again?: Attempt;
  before: Kept;
  healthy: Attempt;
  refreshed?: Attempt;
  after: Kept;
  /** False when the broken client could not be disposed of. */
  disposed: boolean;
}

const HEALTHY_MS = 30_000;
// After this long beyond its deadline a call counts as hanging.
const GUARD_MS = 10_000;
const SWEPT_MS = 15_000;
const ROW = 7;
const snapshots = new Map<Scenario, Snapshot>();

const newClient = (name: string, worker?: () => Worker): Client =>
  window.insitu.createClient({ backends: ["cpu"], storage: { name }, worker });

async function attempt(client: Client, refresh: boolean, timeout: number): Promise<Attempt> {
  const started = performance.now();
  const ms = () => Math.round(performance.now() - started);
  const work = async (): Promise<Attempt> => {
    try {
      const model = await client.load("/p/", { task: "raw", refresh, timeout });
      const { outputs } = await model.predict(Int32Array.of(ROW), { timeout });
      const sum = [...(outputs["sum:0"]?.data.subarray(0, 4) ?? [])];
      // Settled after ten minutes at the latest, also where the worker ended without an event.
      const told = await within(model.stored, timeout);
      const { source, release, storeError } = model.info;
      // Else the next load would find it in memory.
      if (told) await within(model.dispose(), timeout);
      const all = { source, release, sum, ...(storeError && { storeError: plain(storeError) }), ms: ms() };
      return told ? all : { ...all, untold: true };
    } catch (error) {
      return { error: plain(error), ms: ms() };
    }
  };
  let result: Attempt | undefined;
  await within(
    work().then((attempted) => {
      result = attempted;
    }),
    3 * timeout + GUARD_MS,
  );
  return result ?? { hung: true, ms: ms() };
}

/** False when `promise` was not settled in time. */
async function within(promise: Promise<void>, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const settled = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return settled;
}

function plain(error: unknown): Failure {
  if (!(error instanceof Error)) return { name: typeof error, message: String(error) };
  const { name, message, code, data } = error as Error & { code?: string; data?: { timeout?: unknown } };
  return { name, message, code, timeout: data?.timeout };
}

// ---- cases -------------------------------------------------------------------------------------------------------

/** Loads the version that the host has now as `scenario` will find it stored. */
export async function prepare(scenario: Scenario): Promise<Attempt> {
  const name = `prepared-${scenario}`;
  const client = newClient(name);
  const loaded = await attempt(client, false, HEALTHY_MS);
  await client.dispose();
  const found = await read(name);
  if (found) snapshots.set(scenario, found);
  return loaded;
}

/** Gives the database `name` the content that a load of this scenario finds. */
async function reset(name: string, scenario: Scenario): Promise<void> {
  const snapshot = snapshots.get(scenario);
  let isReset = false;
  while (!isReset) {
    await remove(name);
    // The healthy worker of the last case may note something just now, which makes an empty database.
    isReset = !snapshot || (await write(name, snapshot));
  }
}

/** How many calls of each kind a load makes that nothing disturbs. */
export async function count(scenario: Scenario): Promise<Record<string, number>> {
  const name = "counted";
  await reset(name, scenario);
  let worker: Worker | undefined;
  const client = newClient(name, () => {
    worker = new Worker("/faults/worker.js", { type: "module" });
    return worker;
  });
  const model = await client.load("/p/", { task: "raw", refresh: scenario === "update" });
  await model.stored;
  const counts = await new Promise<Record<string, number>>((resolve) => {
    worker?.addEventListener("message", ({ data }) => data.faultCounts && resolve(data.faultCounts));
    worker?.postMessage("fault-counts");
  });
  await client.dispose();
  return counts;
}

/** Clients whose workers are whole, by the database that they use: most of a case's time would go into their start. */
const healthyClients = new Map<string, Client>();

async function loadHealthy(name: string, refresh: boolean): Promise<Attempt> {
  const client = healthyClients.get(name) ?? newClient(name);
  healthyClients.set(name, client);
  const attempted = await attempt(client, refresh, HEALTHY_MS);
  if (attempted.error || attempted.storeError || attempted.hung || attempted.untold) {
    // The next case gets another one.
    healthyClients.delete(name);
    await within(client.dispose(), GUARD_MS);
  }
  return attempted;
}

async function runCase(name: string, point: Point): Promise<Outcome> {
  const { scenario, kind, n, mode, timeout } = point;
  const refresh = scenario === "update";
  await reset(name, scenario);
  let fired = false;
  let started = 0;
  const broken = newClient(name, () => {
    started += 1;
    // The one that follows a dead one is healthy.
    if (started > 1) return new Worker("/dist/worker.js", { type: "module" });
    const worker = new Worker(`/faults/worker.js?kind=${kind}&n=${n}&mode=${mode}`, { type: "module" });
    worker.addEventListener("message", ({ data }) => {
      if (data?.faultFired) fired = true;
    });
    return worker;
  });
  const faulted = await attempt(broken, refresh, timeout);
  const stuck = faulted.hung || faulted.untold || faulted.error?.timeout === timeout;
  // Where the fault has not fired, it would meet this load instead: such a case is tried again as a whole.
  const failed = faulted.error || faulted.storeError;
  const again = fired && failed && !stuck ? await attempt(broken, refresh, HEALTHY_MS) : undefined;
  const disposed = await within(broken.dispose(), GUARD_MS);
  const before = await kept(name);
  const healthy = await loadHealthy(name, false);
  const refreshed = refresh ? await loadHealthy(name, true) : undefined;
  // Files that a fault of this visit made useless are removed by the next one that changes the store.
  if (scenario === "warm") await healthyClients.get(name)?.store.delete("/nothing/");
  let after = await kept(name);
  // What a dead worker left behind is removed after a load has resolved.
  for (
    const until = performance.now() + SWEPT_MS;
    after.orphans > 0 && performance.now() < until;
    after = await kept(name)
  )
    await new Promise((resolve) => setTimeout(resolve, 500));
  return { point, fired, faulted, again, before, healthy, refreshed, after, disposed };
}

/** Runs all points, side by side in as many databases as are named. */
export async function run(points: Point[], names: string[]): Promise<Outcome[]> {
  const queue = [...points];
  const outcomes: Outcome[] = [];
  const work = async (name: string) => {
    for (let point = queue.shift(); point; point = queue.shift()) outcomes.push(await runCase(name, point));
  };
  await Promise.all(names.map(work));
  return outcomes;
}
