// Loads a model from a channel: reads the channel, opens the version that it assigns to this browser, and follows it from then on.
import { asInsituError, InsituError } from "../../../shared/errors.js";
import { invalidOption } from "../../../shared/invalid-option.js";
import type { TaskKind } from "../../../shared/types/manifest.js";
import type { BlockedVersion } from "../../../shared/types/rollout.js";
import type { ChannelOptions } from "../../api-types.js";
import { checkNumber, checkType } from "../../lib/check-option.js";
import type { Model, ModelDeps } from "../../model.js";
import type { TelemetryHandle } from "../../telemetry.js";
import type { OpenPackage, PackageLoad } from "../../version.js";
import { chooseTargets, knownGoodTarget, type Target, targetOf } from "./choose-version.js";
import { RolloutController, rolloutRecord, unknownVersion } from "./controller.js";
import type { RolloutDeps } from "./deps.js";
import { callWorker, type KnownChannel, type ReadDeps, readKnownChannel } from "./known-channel.js";
import { blockOf } from "./load-failures.js";
import type { RolloutReason } from "./types.js";
import { loadTarget, type Running } from "./versions.js";

export interface ChannelDeps<K extends TaskKind> extends ReadDeps, Pick<RolloutDeps, "slots" | "loadShadow"> {
  storeName: string;
  telemetry: TelemetryHandle;
  /** Bytes that the models of a worker should not exceed together. */
  maxHeldBytes: number;
  channel: ChannelOptions | undefined;
  asked: PackageLoad & { signal: AbortSignal };
  open: OpenPackage;
  /** Reports a load that failed to telemetry; `started` in milliseconds of `performance.now()`. */
  recordFailure(error: unknown, started: number): void;
  toModel(parts: Pick<ModelDeps, "live" | "control">): Promise<Model<K>>;
}

// Design default.
const EVERY_MS = 300_000;

/** Rejects as `client.load` does. */
export async function openChannel<K extends TaskKind>(deps: ChannelDeps<K>): Promise<Model<K>> {
  const { asked, telemetry } = deps;
  const { every, pin } = readChannelOptions(deps.channel);
  const rollout: RolloutDeps = {
    ...deps,
    every,
    maxBytes: Math.min(deps.maxHeldBytes, deviceBytes()),
    record: (record) => telemetry.record(record),
  };
  const started = performance.now();
  const known = await readKnownChannel(rollout, asked.refresh === true, asked.signal).catch((error: unknown) => {
    deps.recordFailure(error, started);
    throw error;
  });
  const { running, failures } = await openFirst(rollout, known, pin, asked);
  // Nobody has the model any more: without this it would ask for ever.
  if (asked.signal.aborted) {
    await running.version.rpc.dispose();
    throw new InsituError("aborted", `Loading ${deps.url} was aborted.`);
  }
  const reason = reasonOf(known, running, failures, pin);
  const controller = new RolloutController(rollout, { known, running, reason, pinned: pin });
  const { versions, events } = controller;
  const model = await deps.toModel({
    live: versions.live,
    control: { rollout: controller.toRollout(), dispose: () => controller.dispose() },
  });
  const { version, target } = running;
  const action = pin === undefined ? (failures.length > 0 ? "rolled_back" : "assigned") : "pinned";
  rollout.record(rolloutRecord(version, target, action, reason, failures[0]?.target.version));
  if (known.problem) events.fire("problem", { error: known.problem, stage: "channel" });
  for (const { target, error, block } of failures) controller.tellFailure(target, error, block);
  events.begin();
  return model;
}

function readChannelOptions(given: ChannelOptions | undefined): { every: number; pin?: string } {
  checkType("channel", given, "object");
  const { every = EVERY_MS, pin } = given ?? {};
  checkNumber("channel.every", every);
  if (!Number.isFinite(every)) throw invalidOption("channel.every", every, "milliseconds, 0 or more");
  checkType("channel.pin", pin, "string");
  return { every, ...(pin && { pin }) };
}

/** What versions of one model may take together on this device: an eighth of its memory, where the browser tells it. */
function deviceBytes(): number {
  const { deviceMemory } = navigator as { deviceMemory?: number };
  return deviceMemory ? (deviceMemory * 1e9) / 8 : Number.POSITIVE_INFINITY;
}

/** A version that could not be opened. */
interface Failure {
  target: Target;
  error: InsituError;
  block?: BlockedVersion;
}

interface First {
  running: Running;
  failures: Failure[];
}

/** The first version that can be loaded. Rejects with why the assigned one cannot, where none can. */
async function openFirst(
  deps: RolloutDeps,
  known: KnownChannel,
  pin: string | undefined,
  asked: ChannelDeps<TaskKind>["asked"],
): Promise<First> {
  const { signal, refresh, onProgress } = asked;
  const failures: Failure[] = [];
  const { channel } = known;
  const load = (target: Target) =>
    loadTarget({ ...deps, model: channel.model }, target, signal, 0, { refresh, onProgress });
  for (const target of firstTargets(known, pin)) {
    try {
      return await keepBlocks(deps, known, { running: await load(target), failures }, signal);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      const error = asInsituError(thrown, "unknown", `Loading ${target.package} failed`);
      failures.push({ target, error, block: pin === undefined ? blockOf(target, error, channel) : undefined });
    }
  }
  // A page that may crash is better than one that has no model.
  const crashed = failures.filter(({ block }) => block?.reason === "crashes");
  const last = crashed.find(({ target }) => target.role === "stable") ?? crashed[0];
  if (!last) throw failures[0]?.error ?? known.problem ?? new Error("The channel names no version that runs.");
  delete last.block;
  const running = await load({ ...last.target, maxCrashes: undefined });
  return keepBlocks(deps, known, { running, failures }, signal);
}

async function keepBlocks(deps: RolloutDeps, known: KnownChannel, first: First, signal: AbortSignal): Promise<First> {
  const call = callWorker(deps, signal);
  for (const { block } of first.failures) {
    if (!block) continue;
    known.blocked = [...known.blocked.filter((each) => each.package !== block.package), block];
    await call("noteRollout", [deps.url, { kind: "blocked", version: block }]).catch(() => undefined);
  }
  return first;
}

/** An expired channel assigns nothing: only what ran here before goes on. */
function firstTargets(known: KnownChannel, pin: string | undefined): Target[] {
  const { base, channel } = known;
  if (known.isExpired) {
    const good = knownGoodTarget(known);
    if (!good) throw known.problem;
    return [good];
  }
  if (pin !== undefined) {
    const arm = channel.arms.find(({ version }) => version === pin);
    if (!arm) throw unknownVersion("channel.pin", pin, channel.arms);
    return [targetOf(base, arm)];
  }
  const targets = chooseTargets(known);
  // Where all are blocked the page has nothing better.
  return targets.length > 0 ? targets : chooseTargets({ ...known, blocked: [] });
}

function reasonOf(
  known: KnownChannel,
  { target }: Running,
  failures: Failure[],
  pin: string | undefined,
): RolloutReason {
  if (pin !== undefined) return "pin";
  if (failures[0]) return failures[0].block?.reason ?? "load";
  const { base, assigned, blocked } = known;
  const wanted = targetOf(base, assigned).package;
  if (wanted === target.package) return "weight";
  return blocked.find((each) => each.package === wanted)?.reason ?? "load";
}
