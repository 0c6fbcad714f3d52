// The runs and what is remembered of each model, on disk first and then in memory; changes are made one after the other.
import type { DuckDBConnection } from "@duckdb/node-api";
import type { Attempt, ModelMemory, Run } from "./run.js";
import { deleteRun, insertAttempt, insertRun, readModels, readRuns, updateRun, writeModel } from "./run-rows.js";

export interface RunStore {
  /** Of a model, the newest first. */
  runs(model: string): readonly Run[];
  all(): readonly Run[];
  find(id: string): Run | undefined;
  memory(model: string): ModelMemory | undefined;
  /** Each writes one transaction, and resolves when it is on disk. */
  remember(memory: ModelMemory): Promise<void>;
  start(run: Run, memory: ModelMemory): Promise<void>;
  /** `change` gets the run as it is when its turn comes; undefined changes nothing. Resolves with the run. */
  change(id: string, change: (run: Run) => Partial<Run> | undefined, attempt?: Attempt): Promise<Run | undefined>;
  /** Times in the future become `now`, since the clock was wrong, then or now; deliveries wait for `maxWait` at most. */
  clamp(now: number, maxWait: number): Promise<void>;
}

/** The part of the database's interface that it needs. */
export interface Transactions {
  write(work: (connection: DuckDBConnection) => Promise<void>): Promise<void>;
  read(work: (connection: DuckDBConnection) => Promise<void>): Promise<void>;
}

// Of each model; with a cool-down of a day more than two years.
const MAX_RUNS = 1_000;

export async function openRunStore(database: Transactions): Promise<RunStore> {
  const runs = new Map<string, Run>();
  const models = new Map<string, ModelMemory>();
  await database.read(async (connection) => {
    for (const run of await readRuns(connection)) runs.set(run.id, run);
    for (const memory of await readModels(connection)) models.set(memory.model, memory);
  });
  let last: Promise<unknown> = Promise.resolve();
  /** A change is made of what the one before has left. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
  const ofModel = (model: string) =>
    [...runs.values()].filter((run) => run.model === model).sort((a, b) => b.firedAt - a.firedAt);

  return {
    runs: ofModel,
    all: () => [...runs.values()],
    find: (id) => runs.get(id),
    memory: (model) => models.get(model),
    remember: (memory) =>
      inTurn(async () => {
        await database.write((connection) => writeModel(connection, memory));
        models.set(memory.model, memory);
      }),
    start: (run, memory) =>
      inTurn(async () => {
        const old = ofModel(run.model).slice(MAX_RUNS - 1);
        await database.write(async (connection) => {
          for (const { id } of old) await deleteRun(connection, id);
          await insertRun(connection, run);
          await writeModel(connection, memory);
        });
        for (const { id } of old) runs.delete(id);
        runs.set(run.id, run);
        models.set(memory.model, memory);
      }),
    change: (id, change, attempt) =>
      inTurn(async () => {
        const run = runs.get(id);
        const changed = run && change(run);
        if (!run || (!changed && !attempt)) return run;
        const next = { ...run, ...changed, attempts: attempt ? [...run.attempts, attempt] : run.attempts };
        await database.write(async (connection) => {
          await updateRun(connection, next);
          if (attempt) await insertAttempt(connection, id, attempt);
        });
        runs.set(id, next);
        return next;
      }),
    clamp: (now, maxWait) =>
      inTurn(async () => {
        const late = [...runs.values()]
          .filter((run) => isLate(run, now, maxWait))
          .map((run) => inTime(run, now, maxWait));
        const memories = [...models.values()]
          .filter(({ seenAt, cronAt }) => seenAt > now || cronAt > now)
          .map((one) => ({ ...one, seenAt: Math.min(one.seenAt, now), cronAt: Math.min(one.cronAt, now) }));
        if (late.length + memories.length === 0) return;
        await database.write(async (connection) => {
          for (const run of late) await updateRun(connection, run);
          for (const memory of memories) await writeModel(connection, memory);
        });
        for (const run of late) runs.set(run.id, run);
        for (const memory of memories) models.set(memory.model, memory);
      }),
  };
}

function isLate({ firedAt, changedAt, nextAt }: Run, now: number, maxWait: number): boolean {
  return firedAt > now || changedAt > now || (nextAt ?? 0) > now + maxWait;
}

function inTime(run: Run, now: number, maxWait: number): Run {
  const past = (time: number) => Math.min(time, now);
  return {
    ...run,
    firedAt: past(run.firedAt),
    changedAt: past(run.changedAt),
    nextAt: run.nextAt === null ? null : Math.min(run.nextAt, now + maxWait),
  };
}
