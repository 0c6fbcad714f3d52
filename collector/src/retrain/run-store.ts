// The runs and what is remembered of each model, on disk first and then in memory; changes are made one after the other.
import type { DuckDBConnection } from "@duckdb/node-api";
import type { Attempt, ModelMemory, Run } from "./run.js";
import { deleteRun, insertAttempt, insertRun, readModels, readRuns, updateRun, writeModel } from "./run-rows.js";

/** The part of the database's interface that it needs. */
export interface Transactions {
  write<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T>;
  read<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T>;
}

// Of each model; with a cool-down of a day more than two years.
const MAX_RUNS = 1_000;

export class RunStore {
  readonly #database: Transactions;
  readonly #runs: Map<string, Run>;
  readonly #models: Map<string, ModelMemory>;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(database: Transactions, runs: Run[], models: ModelMemory[]) {
    this.#database = database;
    this.#runs = new Map(runs.map((run) => [run.id, run]));
    this.#models = new Map(models.map((memory) => [memory.model, memory]));
  }

  static async open(database: Transactions): Promise<RunStore> {
    const stored = await database.read(async (connection) => ({
      runs: await readRuns(connection),
      models: await readModels(connection),
    }));
    return new RunStore(database, stored.runs, stored.models);
  }

  /** Of a model, the newest first. */
  runs(model: string): readonly Run[] {
    return this.all()
      .filter((run) => run.model === model)
      .sort((a, b) => b.firedAt - a.firedAt);
  }

  all(): readonly Run[] {
    return [...this.#runs.values()];
  }

  find(id: string): Run | undefined {
    return this.#runs.get(id);
  }

  memory(model: string): ModelMemory | undefined {
    return this.#models.get(model);
  }

  /** As the other changes it writes one transaction, and resolves when it is on disk. */
  remember(memory: ModelMemory): Promise<void> {
    return this.#inTurn(async () => {
      await this.#database.write((connection) => writeModel(connection, memory));
      this.#models.set(memory.model, memory);
    });
  }

  start(run: Run, memory: ModelMemory): Promise<void> {
    return this.#inTurn(async () => {
      const old = this.runs(run.model).slice(MAX_RUNS - 1);
      await this.#database.write(async (connection) => {
        for (const { id } of old) await deleteRun(connection, id);
        await insertRun(connection, run);
        await writeModel(connection, memory);
      });
      for (const { id } of old) this.#runs.delete(id);
      this.#runs.set(run.id, run);
      this.#models.set(memory.model, memory);
    });
  }

  /** `change` gets the run as it is when its turn comes; undefined changes nothing. Resolves with the run. */
  change(id: string, change: (run: Run) => Partial<Run> | undefined, attempt?: Attempt): Promise<Run | undefined> {
    return this.#inTurn(async () => {
      const run = this.#runs.get(id);
      const changed = run && change(run);
      if (!run || (!changed && !attempt)) return run;
      const next = { ...run, ...changed, attempts: attempt ? [...run.attempts, attempt] : run.attempts };
      await this.#database.write(async (connection) => {
        await updateRun(connection, next);
        if (attempt) await insertAttempt(connection, id, attempt);
      });
      this.#runs.set(id, next);
      return next;
    });
  }

  /** Times in the future become `now`, since the clock was wrong, then or now; deliveries wait for `maxWait` at most. */
  clamp(now: number, maxWait: number): Promise<void> {
    return this.#inTurn(async () => {
      const late = this.all()
        .filter((run) => isLate(run, now, maxWait))
        .map((run) => inTime(run, now, maxWait));
      const memories = [...this.#models.values()]
        .filter(({ seenAt, cronAt }) => seenAt > now || cronAt > now)
        .map((one) => ({ ...one, seenAt: Math.min(one.seenAt, now), cronAt: Math.min(one.cronAt, now) }));
      if (late.length + memories.length === 0) return;
      await this.#database.write(async (connection) => {
        for (const run of late) await updateRun(connection, run);
        for (const memory of memories) await writeModel(connection, memory);
      });
      for (const run of late) this.#runs.set(run.id, run);
      for (const memory of memories) this.#models.set(memory.model, memory);
    });
  }

  /** A change is made of what the one before has left. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
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
