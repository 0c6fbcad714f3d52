// Runs checks side by side, each after those it needs, and makes the table of results.
import type { Check, Count, Print } from "./run.js";

export interface Result extends Count {
  name: string;
  seconds: number;
}

/** At most `jobs` at a time, started in the order of the list. Resolves with the results in the order in which they ended. */
export async function runChecks(checks: Check[], jobs: number, write: Print): Promise<Result[]> {
  const waiting = [...checks];
  const running = new Map<Check, Promise<void>>();
  const results: Result[] = [];
  const isReady = ({ needs = [], alone, usesBrowser }: Check) =>
    !needs.some((name) => [...waiting, ...running.keys()].some((check) => check.name === name)) &&
    !(usesBrowser && [...running.keys()].some((check) => check.usesBrowser)) &&
    (!alone || running.size === 0);
  const next = () => {
    const isTaken = running.size >= jobs || [...running.keys()].some(({ alone }) => alone);
    return isTaken ? undefined : waiting.find(isReady);
  };
  while (waiting.length + running.size > 0) {
    for (let check = next(); check; check = next()) {
      const started = check;
      waiting.splice(waiting.indexOf(started), 1);
      const run = runOne(started, jobs === 1 || checks.length === 1, write).then((result) => {
        running.delete(started);
        results.push(result);
      });
      running.set(started, run);
    }
    if (running.size === 0) throw new Error(`These checks need each other: ${waiting.map(({ name }) => name).join()}.`);
    await Promise.race(running.values());
  }
  return results;
}

/** `live`: shows output as it comes, where nothing else runs beside it. */
async function runOne({ name, about, run }: Check, live: boolean, write: Print): Promise<Result> {
  const title = `=== ${name}: ${about}\n`;
  write(live ? `\n${title}` : `... ${name} starts\n`);
  let output = "";
  const print: Print = (text) => {
    if (live) write(text);
    else output += text;
  };
  const start = performance.now();
  const count = await run(print).catch((error: unknown): Count => {
    print(`${error instanceof Error ? error.message : error}\n`);
    return { passed: 0, failed: 1 };
  });
  const seconds = (performance.now() - start) / 1000;
  const end = `--- ${name}: ${count.passed} passed, ${count.failed} failed (${seconds.toFixed(1)} s)\n`;
  write(live ? end : `\n${title}${output}${end}`);
  return { name, seconds, ...count };
}

/** A line for each check, the slowest first. */
export function tableOf(results: Result[]): string {
  const row = (name: string, ...cells: (number | string)[]) =>
    name.padEnd(20) + cells.map((cell) => String(cell).padStart(9)).join("");
  const sorted = [...results].sort((a, b) => b.seconds - a.seconds);
  return [
    row("part", "passed", "failed", "seconds"),
    ...sorted.map(({ name, passed, failed, seconds }) => row(name, passed, failed, seconds.toFixed(1))),
  ].join("\n");
}
