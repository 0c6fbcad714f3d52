// One month of a fleet over HTTP: the real collector, simulated pages in Node, and, where asked for, real pages in Chromium.
import type { Decision } from "../collector/src/rollout/decision-types.js";
import { startClock } from "./clock.js";
import { startSimulationCollector } from "./collector.js";
import { CANARY, type FleetResult, runFleet } from "./fleet.js";
import { startOperator } from "./operator.js";
import { type RealPages, type RealVisit, startRealPages } from "./real-pages.js";
import { MODEL } from "./simulated-page.js";
import type { World } from "./world.js";

export interface WholeRunOptions {
  world: World;
  seed: number;
  /** Pages in Chromium; 0 needs no browser. */
  realPages: number;
  say(line: string): void;
}

export interface WholeRunResult extends FleetResult {
  decision: Decision;
  /** Of the real pages: while the canary ran, and after the end of the rollout. */
  real?: { accuracy: RealPages["accuracy"]; during: RealVisit; after: RealVisit };
  seconds: number;
}

/** Ends with the canary's rollback or promotion, or after `world.days`. */
export async function wholeRun({ world, seed, realPages, say }: WholeRunOptions): Promise<WholeRunResult> {
  const started = performance.now();
  const clock = startClock();
  const collector = await startSimulationCollector(clock);
  const pages =
    realPages > 0 ? await startRealPages(collector.url, world.stable.accuracy - world.canary.accuracy) : undefined;
  try {
    let release = 0;
    const operator = await startOperator({
      clock,
      collector: collector.url,
      weight: world.weight,
      salt: `simulation-${seed}`,
      async publish(text) {
        release += 1;
        pages?.publish(text);
        await collector.publish(text, release);
      },
    });
    await pages?.open(realPages, 2);
    const during = await pages?.visit();
    const result = await runFleet({
      world,
      run: seed,
      clock,
      operator,
      send: collector.send,
      async onDay(day, channel) {
        const isOver = !channel.arms.some(({ role }) => role === "canary");
        if (!isOver) await pages?.visit();
        say(
          `day ${day + 1}: release ${channel.release}, ${channel.arms.map(({ version, weight }) => `${version} ${weight} %`).join(", ")}`,
        );
        return isOver;
      },
    });
    const after = await pages?.visit();
    const decision = await collector.read<Decision>(`/v1/rollouts/${MODEL}`);
    const real = pages && during && after ? { real: { accuracy: pages.accuracy, during, after } } : {};
    return { ...result, decision, ...real, seconds: (performance.now() - started) / 1000 };
  } finally {
    await pages?.close();
    await collector.close();
  }
}

export const ranCanary = ({ versions }: RealVisit): number => versions.filter((version) => version === CANARY).length;
