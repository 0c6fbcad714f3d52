// One run of a fleet against the real collector: days of visits, and an operator that follows the collector's decisions once a day.
import type { ExportRequest } from "../src/page/lazy/telemetry/requests.js";
import { assignArm } from "../src/shared/rollout/assign-arm.js";
import type { Channel, ChannelArm } from "../src/shared/types/rollout.js";
import { sha256 } from "../src/worker/lib/sha256.js";
import type { Clock } from "./clock.js";
import type { Operator, OperatorStep } from "./operator.js";
import { createRandom } from "./random.js";
import { createSimulatedPage, type SimulatedPage, trustedRequests, type Visit } from "./simulated-page.js";
import type { Behaviour, World } from "./world.js";

export const CANARY = "1.1.0";

/** What a run came to. */
export interface FleetResult {
  /** What the operator did, day by day, without the days on which it waited. */
  steps: (OperatorStep & { day: number })[];
  /** Pages that ran the canary at least once. */
  exposedPages: number;
  /** Predictions of the canary. */
  exposedPredictions: number;
  predictions: number;
  days: number;
}

export interface FleetDeps {
  world: World;
  /** Of the random numbers. */
  run: number;
  clock: Clock;
  operator: Operator;
  /** Sends a request of a page, or of the site's backend with its trusted key. */
  send(request: ExportRequest, from: { address: string; trusted?: true }): Promise<void>;
  /** Called at the end of each day; true ends the run. */
  onDay(day: number, channel: Channel): Promise<boolean>;
}

const DAY_MS = 24 * 3600 * 1000;
// As many as browsers keep open to a host, several hosts at a time.
const PARALLEL = 24;

export async function runFleet({ world, run, clock, operator, send, onDay }: FleetDeps): Promise<FleetResult> {
  const pages = Array.from({ length: world.pages }, (_, index) => createSimulatedPage(world, run, index));
  const random = createRandom(run);
  const exposed = new Set<SimulatedPage>();
  const result: FleetResult = {
    steps: [],
    exposedPages: 0,
    exposedPredictions: 0,
    predictions: 0,
    days: world.days,
  };
  for (let day = 0; day < world.days; day += 1) {
    const channel = operator.channel();
    const trusted = new Map<string, { arm: ChannelArm; counts: Visit["trusted"] }>();
    const visitors = pages.filter(() => random.chance(world.visits));
    await inParallel(visitors, async (page, index) => {
      clock.set(day * DAY_MS + (index / visitors.length) * DAY_MS * 0.9);
      const arm = await assignArm(channel, page.seed, sha256);
      const visit = page.visit(arm, behaviourOf(world, arm), day);
      result.predictions += visit.predictions;
      if (arm.version === CANARY) {
        exposed.add(page);
        result.exposedPredictions += visit.predictions;
      }
      const entry = trusted.get(arm.package) ?? { arm, counts: { correct: 0, incorrect: 0 } };
      entry.counts.correct += visit.trusted.correct;
      entry.counts.incorrect += visit.trusted.incorrect;
      trusted.set(arm.package, entry);
      for (const request of visit.requests) await send(request, page);
    });
    for (const { arm, counts } of trusted.values())
      for (const request of trustedRequests(arm.version ?? "", arm.role, counts))
        await send(request, { address: "198.19.255.1", trusted: true });
    clock.set((day + 1) * DAY_MS - 1);
    const step = await operator.look();
    if (step.action !== "wait" && step.action !== "idle") result.steps.push({ ...step, day });
    if (await onDay(day, operator.channel())) {
      result.days = day + 1;
      break;
    }
  }
  result.exposedPages = exposed.size;
  return result;
}

function behaviourOf({ stable, canary }: World, { version }: ChannelArm): Behaviour {
  return version === CANARY ? canary : stable;
}

async function inParallel<T>(items: readonly T[], work: (item: T, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < items.length; index = next++) await work(items[index] as T, index);
  };
  await Promise.all(Array.from({ length: PARALLEL }, lane));
}
