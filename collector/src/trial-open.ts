// Reads the database in a process of its own first: on some damaged files DuckDB ends the process instead of throwing.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";

const OPEN = `
const { DuckDBInstance } = await import(process.argv[1]);
const connection = await (await DuckDBInstance.create(":memory:", { threads: "1" })).connect();
await connection.run("ATTACH '" + process.argv[2].replaceAll("'", "''") + "' AS file (READ_ONLY)");
const tables = await connection.runAndReadAll("SELECT table_name FROM duckdb_tables() WHERE database_name = 'file'");
for (const [table] of tables.getRows()) await connection.run('SELECT count(COLUMNS(*)) FROM file."' + table + '"');
`;

/** The signals of a crash. Others, as that of a system without memory, say nothing about the file. */
const CRASHES = new Set(["SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP"]);
/** Windows tells a crash by an exit code from here on. */
const FIRST_CRASH_CODE = 0xc0000000;

/** Rejects when reading the file, each column once, crashes. What only throws is left to the one that opens it for use, who can say more. */
export async function trialOpen(path: string): Promise<void> {
  if (!existsSync(path)) return;
  const args = ["--input-type=module", "-e", OPEN, import.meta.resolve("@duckdb/node-api"), path];
  const [code, signal] = await once(spawn(process.execPath, args, { stdio: "ignore" }), "exit");
  if (CRASHES.has(signal) || code >= FIRST_CRASH_CODE) throw new Error("its pages are corrupt");
}
