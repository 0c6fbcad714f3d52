// The rows of runs, attempts and models in DuckDB. No primary keys: see disk-room.ts.
import type { DuckDBConnection } from "@duckdb/node-api";
import type { Attempt, ModelMemory, Run } from "./run.js";
import { TRIGGERS, type TriggerName } from "./triggers.js";

const time = (value: number | null) => (value === null ? null : BigInt(Math.round(value)));

export async function insertRun(connection: DuckDBConnection, run: Run): Promise<void> {
  await connection.run("INSERT INTO retrain_runs (id, model, version, trigger, evidence) VALUES ($1, $2, $3, $4, $5)", [
    run.id,
    run.model,
    run.version,
    run.trigger,
    JSON.stringify(run.evidence),
  ]);
  await updateRun(connection, run);
}

export async function updateRun(connection: DuckDBConnection, run: Run): Promise<void> {
  await connection.run(
    `UPDATE retrain_runs SET fired_at = $2::BIGINT, state = $3, changed_at = $4::BIGINT, next_at = $5::BIGINT, tries = $6,
     new_version = $7, detail = $8 WHERE id = $1`,
    [
      run.id,
      time(run.firedAt),
      run.state,
      time(run.changedAt),
      time(run.nextAt),
      run.tries,
      run.newVersion,
      run.detail,
    ],
  );
}

export async function insertAttempt(connection: DuckDBConnection, id: string, attempt: Attempt): Promise<void> {
  const { number, at, result, status, detail, durationMs } = attempt;
  await connection.run("INSERT INTO retrain_attempts VALUES ($1, $2, $3::BIGINT, $4, $5, $6, $7)", [
    id,
    number,
    time(at),
    result,
    status,
    detail,
    durationMs,
  ]);
}

export async function deleteRun(connection: DuckDBConnection, id: string): Promise<void> {
  await connection.run("DELETE FROM retrain_attempts WHERE run = $1", [id]);
  await connection.run("DELETE FROM retrain_runs WHERE id = $1", [id]);
}

export async function writeModel(connection: DuckDBConnection, memory: ModelMemory): Promise<void> {
  const { model, version, seenAt, cronAt, disarmed } = memory;
  await connection.run("DELETE FROM retrain_models WHERE model = $1", [model]);
  await connection.run("INSERT INTO retrain_models VALUES ($1, $2, $3::BIGINT, $4::BIGINT, $5)", [
    model,
    version,
    time(seenAt),
    time(cronAt),
    JSON.stringify(disarmed),
  ]);
}

export async function readRuns(connection: DuckDBConnection): Promise<Run[]> {
  const attempts = await connection.runAndReadAll("SELECT * FROM retrain_attempts ORDER BY sent_at, number");
  const byRun = new Map<string, Attempt[]>();
  for (const row of attempts.getRowObjectsJS()) {
    const all = byRun.get(String(row.run)) ?? [];
    byRun.set(String(row.run), all);
    all.push({
      number: Number(row.number),
      at: Number(row.sent_at),
      result: row.result as Attempt["result"],
      status: row.status === null ? null : Number(row.status),
      detail: String(row.detail),
      durationMs: Number(row.duration_ms),
    });
  }
  const reader = await connection.runAndReadAll("SELECT * FROM retrain_runs ORDER BY fired_at");
  return reader.getRowObjectsJS().map((row) => ({
    id: String(row.id),
    model: String(row.model),
    version: String(row.version),
    trigger: row.trigger as TriggerName,
    evidence: JSON.parse(String(row.evidence)),
    firedAt: Number(row.fired_at),
    state: row.state as Run["state"],
    changedAt: Number(row.changed_at),
    nextAt: row.next_at === null ? null : Number(row.next_at),
    tries: Number(row.tries),
    newVersion: row.new_version === null ? null : String(row.new_version),
    detail: String(row.detail),
    attempts: byRun.get(String(row.id)) ?? [],
  }));
}

export async function readModels(connection: DuckDBConnection): Promise<ModelMemory[]> {
  const reader = await connection.runAndReadAll("SELECT * FROM retrain_models");
  return reader.getRowObjectsJS().map((row) => ({
    model: String(row.model),
    version: String(row.version),
    seenAt: Number(row.seen_at),
    cronAt: Number(row.cron_at),
    disarmed: (JSON.parse(String(row.disarmed)) as TriggerName[]).filter((one) => TRIGGERS.includes(one)),
  }));
}
