// Loads a model from a channel: reads the channel, opens the version that it assigns to this browser, and follows it from then on.
import { asInsituError, type InsituError } from "../../../shared/errors.js";
import type { TaskKind } from "../../../shared/types/manifest.js";
import type { BlockedVersion } from "../../../shared/types/rollout.js";
import type { Model, ModelDeps } from "../../model.js";
import type { ChannelConfig } from "../../options.js";
import type { TelemetryHandle } from "../../telemetry.js";
import type { OpenPackage, PackageLoad } from "../../version.js";
import { chooseTargets, knownGoodTarget, pinnedTarget, type Target, targetOf } from "./choose-version.js";
import { RolloutController } from "./controller.js";
import type { RolloutDeps } from "./deps.js";
import { type KnownChannel, type ReadDeps, readKnownChannel } from "./known-channel.js";
import { KnownVersions } from "./known-versions.js";
import { blockOf } from "./load-failures.js";
import { toRollout } from "./page-rollout.js";
import { rolloutRecord } from "./reports.js";
import type { RolloutReason } from "./types.js";
import { abortedError, loadTarget, type Running } from "./versions.js";

export interface ChannelDeps<K extends TaskKind>
  extends ReadDeps,
    Pick<RolloutDeps, "slots" | "loadShadow" | "clientEnd" | "maxBytes"> {
  storeName: string;
  telemetry: TelemetryHandle;
  channel: ChannelConfig;
  asked: PackageLoad & { signal: AbortSignal };
  open: OpenPackage;
  /** Reports a load that failed to telemetry; `started` in milliseconds of `performance.now()`. */
  recordFailure(error: unknown, started: number): void;
  toModel(parts: Pick<ModelDeps, "live" | "control">): Promise<Model<K>>;
}

/** Rejects as `client.load` does. */
export async function openChannel<K extends TaskKind>(deps: ChannelDeps<K>): Promise<Model<K>> {
  const { asked, telemetry } = deps;
  const { every, pin } = deps.channel;
  const rollout: RolloutDeps = {
    ...deps,
    every,
    record: (record) => telemetry.record(record),
  };
  const started = performance.now();
  const known = await readKnownChannel(rollout, asked.refresh === true, asked.signal).catch((error: unknown) => {
    deps.recordFailure(error, started);
    throw error;
  });
  const store = new KnownVersions(rollout, known);
  const { running, failures } = await openFirst(rollout, store, pin, asked);
  // Nobody has the model any more: without this it would ask for ever.
  if (asked.signal.aborted) {
    await running.version.rpc.dispose();
    throw abortedError({ package: deps.url });
  }
  const reason = reasonOf(store.known, running, failures, pin);
  const controller = new RolloutController(rollout, { store, running, reason, pinned: pin });
  const { versions, reports } = controller;
  const model = await deps.toModel({
    live: versions.live,
    control: { rollout: toRollout(controller), dispose: () => controller.dispose() },
  });
  const { version, target } = running;
  const action = pin === undefined ? (failures.length > 0 ? "rolled_back" : "assigned") : "pinned";
  rollout.record(rolloutRecord(version, target, action, reason, failures[0]?.target.version));
  if (known.problem) reports.problem(known.problem, "channel");
  for (const { target, error, block } of failures) reports.loadFailed(target, error, block);
  reports.events.begin();
  return model;
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
  store: KnownVersions,
  pin: string | undefined,
  asked: ChannelDeps<TaskKind>["asked"],
): Promise<First> {
  const { signal, refresh, onProgress } = asked;
  const failures: Failure[] = [];
  const { known } = store;
  const { channel } = known;
  const keepBlocks = async (running: Running) => {
    for (const { block } of failures) if (block) await store.block(block);
    return { running, failures };
  };
  const load = (target: Target) =>
    loadTarget({ ...deps, model: channel.model }, target, signal, 0, { refresh, onProgress });
  for (const target of firstTargets(known, pin)) {
    try {
      return await keepBlocks(await load(target));
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
  return keepBlocks(await load({ ...last.target, maxCrashes: undefined }));
}

/** An expired channel assigns nothing: only what ran here before goes on. */
function firstTargets(known: KnownChannel, pin: string | undefined): Target[] {
  if (known.isExpired) {
    const good = knownGoodTarget(known);
    if (!good) throw known.problem;
    return [good];
  }
  if (pin !== undefined) return [pinnedTarget(known, pin, "channel.pin")];
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
