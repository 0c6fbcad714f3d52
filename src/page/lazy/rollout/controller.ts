// Owns which version of a channel a model runs: reads the channel, swaps, goes back, and tells the page, the other tabs and telemetry.
import { asInsituError, InsituError } from "../../../shared/errors.js";
import { invalidOption } from "../../../shared/invalid-option.js";
import { modelRef } from "../../../shared/model-ref.js";
import type { RolloutNote } from "../../../shared/protocol.js";
import { createSerialQueue } from "../../../shared/serial-queue.js";
import type { ModelRef } from "../../../shared/types/model.js";
import type { BlockedVersion, ChannelArm } from "../../../shared/types/rollout.js";
import type { OpenVersion } from "../../version.js";
import type { TelemetryRecord } from "../telemetry/records.js";
import { chooseTargets, isBlocked, repairedTarget, rollbackTargets, type Target, targetOf } from "./choose-version.js";
import type { RolloutDeps } from "./deps.js";
import { createEvents } from "./events.js";
import { crashLimit, loadBreach } from "./guardrails.js";
import { Guards } from "./guards.js";
import { callWorker, type KnownChannel, readKnownChannel } from "./known-channel.js";
import { blockOf, createBackoff, refOf } from "./load-failures.js";
import { type Poll, startPoll } from "./poll.js";
import type { Breach, Rollout, RolloutControl, RolloutGuards, RolloutReason, RolloutSnapshot } from "./types.js";
import { loadTarget, type Running, Versions } from "./versions.js";

/** What the first load found. */
export interface Begun {
  known: KnownChannel;
  running: Running;
  reason: RolloutReason;
  pinned?: string;
}

export class RolloutController implements RolloutControl {
  readonly versions: Versions;
  readonly events = createEvents();
  readonly #deps: RolloutDeps;
  readonly #end = new AbortController();
  readonly #inOrder = createSerialQueue();
  readonly #backoff: ReturnType<typeof createBackoff>;
  readonly #poll: Poll;
  readonly #guards: RolloutGuards;
  #known: KnownChannel;
  #reason: RolloutReason;
  #pinned: string | undefined;
  #status: RolloutSnapshot["status"] = "idle";
  #checking: { refresh: boolean; done: Promise<void> } | undefined;
  /** Aborts the change that runs. */
  #change = new AbortController();
  #isRollingBack = false;

  constructor(deps: RolloutDeps, { known, running, reason, pinned }: Begun) {
    this.#deps = deps;
    this.#known = known;
    this.#reason = reason;
    this.#pinned = pinned;
    this.#backoff = createBackoff(deps.every);
    const { model } = known.channel;
    this.#guards = new Guards(this);
    this.versions = new Versions({ ...deps, model, onRuns: (next) => this.#watch(next) }, running);
    if (!known.lastGood && running.target.role === "stable") this.proved();
    const { signal } = this;
    const check = () => this.#update(true);
    const reread = () => void this.#update(false);
    this.#poll = startPoll({ ...deps, checkedAt: known.checkedAt, check, reread, signal });
  }

  get signal(): AbortSignal {
    return this.#end.signal;
  }

  channel = () => this.#known.channel;

  running(): { version: OpenVersion; arm: ChannelArm } {
    const { version, target } = this.versions.running;
    return { version, arm: target.arm };
  }

  // Of all models of the client: they share the processor.
  isBusy = () => this.#deps.slots.some((slot) => slot.calls() > 0);

  async open(arm: ChannelArm, signal: AbortSignal): Promise<OpenVersion> {
    const { base, channel } = this.#known;
    const { model, guardrails } = channel;
    const target = { ...targetOf(base, arm), maxCrashes: crashLimit(guardrails) };
    return (await loadTarget({ ...this.#deps, model }, target, signal, 0, { isApart: true })).version;
  }

  shadowArm(): ChannelArm | undefined {
    const { base, channel } = this.#known;
    const arm = channel.arms.find(({ role }) => role === "shadow");
    return arm && !isBlocked(targetOf(base, arm).package, this.#known) ? arm : undefined;
  }

  loadShadow = () => this.#deps.loadShadow();

  record = (record: TelemetryRecord) => this.#deps.record(record);

  proved(): void {
    const { version, target } = this.versions.running;
    const good = { package: target.package, version: target.version, digest: version.info.digest };
    if (good.package === this.#known.lastGood?.package || isBlocked(good.package, this.#known)) return;
    this.#known.lastGood = good;
    void this.#note({ kind: "good", version: good });
  }

  rollBack(breach: Breach): Promise<void> {
    if (this.#isRollingBack || this.signal.aborted) return Promise.resolve();
    this.#isRollingBack = true;
    // A download that runs must not be waited for.
    this.#change.abort();
    return this.#inOrder(() => this.#leave(breach)).finally(() => {
      this.#isRollingBack = false;
    });
  }

  dispose(): void {
    this.#end.abort();
    this.#change.abort();
    this.#status = "disposed";
    this.#guards.dispose();
    void this.versions.dispose();
  }

  /** The page's view of it. */
  toRollout(): Rollout {
    const controller = this;
    const running = () => controller.versions.running.target;
    return {
      channel: this.#deps.url,
      get release() {
        return controller.#known.channel.release;
      },
      get arm() {
        return running().role;
      },
      get version() {
        return running().version;
      },
      get pinned() {
        return controller.#pinned;
      },
      state: () => controller.#state(),
      async check() {
        controller.#assertOpen();
        controller.#backoff.clear();
        await controller.#update(true);
        controller.#poll.announce();
      },
      pin: (version) => controller.#pin(version),
      addEventListener: this.events.addEventListener,
      removeEventListener: this.events.removeEventListener,
    };
  }

  #state(): RolloutSnapshot {
    const { channel, blocked, lastGood, checkedAt, problem } = this.#known;
    const { version, target } = this.versions.running;
    const running = { version: target.version, arm: target.role, model: modelRef(version.info), reason: this.#reason };
    return {
      channel: this.#deps.url,
      release: channel.release,
      running,
      pinned: this.#pinned,
      arms: structuredClone(channel.arms),
      lastKnownGood: lastGood?.version,
      blocked: structuredClone(blocked),
      status: this.#status,
      checkedAt,
      problem,
      shadow: this.#guards.shadow(),
    };
  }

  #watch({ version, target }: Running): void {
    if (version.observer) this.#guards.changed();
    else version.observer = this.#guards.watch(version, target.arm);
  }

  #assertOpen(): void {
    if (this.signal.aborted) throw new InsituError("disposed", "The model was disposed; load it again.");
  }

  /** Reads the channel and runs what it assigns; with `refresh` the host is asked. One at a time; never rejects. */
  #update(refresh: boolean): Promise<void> {
    // What is read without a request is no answer to who wants one.
    if (this.#checking && (this.#checking.refresh || !refresh)) return this.#checking.done;
    const done = this.#inOrder(() => this.#read(refresh)).finally(() => {
      if (this.#checking?.done === done) this.#checking = undefined;
      if (!this.signal.aborted) this.#status = "idle";
    });
    this.#checking = { refresh, done };
    return done;
  }

  async #read(refresh: boolean): Promise<void> {
    this.#status = "checking";
    const before = this.#known;
    // A rollback must not wait for a host that does not answer.
    const { signal } = this.#beginChange();
    try {
      this.#known = await readKnownChannel(this.#deps, refresh, signal);
      const { problem } = this.#known;
      // Without a request there is nothing new to say about it.
      if (problem && refresh) this.events.fire("problem", { error: problem, stage: "channel" });
    } catch (error) {
      if (signal.aborted) return;
      const problem = asInsituError(error, "unknown", "Reading the channel failed");
      this.#known = { ...before, problem };
      this.events.fire("problem", { error: problem, stage: "channel" });
    }
    if (this.#known.channel.release !== before.channel.release) this.#backoff.clear();
    // An expired channel assigns nothing: what runs goes on.
    if (!this.#known.isExpired) await this.#settle();
    if (!this.signal.aborted) this.#guards.changed();
  }

  /** Runs the first version of the channel that can be loaded; what runs now is left only for another that runs. */
  async #settle(reason: RolloutReason = "release"): Promise<void> {
    if (this.#pinned !== undefined || this.signal.aborted) return;
    const { running } = this.versions;
    const mustLeave = isBlocked(running.target.package, this.#known);
    const repaired = repairedTarget(this.#known, running.target.package);
    for (const target of [...repaired, ...chooseTargets(this.#known)]) {
      const isSame = target.package === running.target.package;
      if (isSame) return this.versions.rename(target);
      if (this.#backoff.isResting(target.package)) {
        if (mustLeave) continue;
        return;
      }
      try {
        await this.#changeTo(target, mustLeave);
        if (this.#blockOf(target)) await this.#allow(target);
        this.#tellLeft(running, mustLeave, reason);
        return;
      } catch (error) {
        if (this.#change.signal.aborted) return;
        const isBlocked = await this.#failed(target, error);
        if ((!isBlocked && !mustLeave) || this.#isRollingBack) return;
      }
    }
  }

  async #changeTo(target: Target, isHeld = false): Promise<void> {
    const { signal } = this.#beginChange();
    this.#status = "swapping";
    await this.versions.change(target, signal, isHeld);
  }

  #beginChange(): AbortController {
    this.#change = new AbortController();
    if (this.signal.aborted) this.#change.abort();
    return this.#change;
  }

  #tellLeft({ target, version }: Running, mustLeave: boolean, reason: RolloutReason): void {
    const block = this.#blockOf(target);
    // Left by another tab, which has told telemetry.
    if (mustLeave && block) this.#rolledBack(modelRef(version.info), block);
    else this.#swapped(modelRef(version.info), reason);
  }

  /** Tells that a version could not be loaded; true where it is blocked from now on. */
  async #failed(target: Target, thrown: unknown): Promise<boolean> {
    const error = asInsituError(thrown, "unknown", `Loading ${target.package} failed`);
    const { channel } = this.#known;
    const before = this.#blockOf(target);
    if (before && error.data.left) {
      // Its folder holds what it did. The next release asks again.
      await this.#block({ ...before, release: channel.release });
      return true;
    }
    const block = blockOf(target, error, channel);
    if (block) await this.#block(block);
    else this.#backoff.failed(target.package);
    this.tellFailure(target, error, block);
    return block !== undefined;
  }

  /** A version could not be opened; what runs is another one. */
  tellFailure(target: Target, error: InsituError, block?: BlockedVersion): void {
    if (block && block.reason !== "load") {
      const from = refOf(error) as ModelRef;
      this.#rolledBack(from, block);
      this.#deps.record(this.#recordOf("rolled_back", block.reason, from));
      return;
    }
    // What was opened all the same, since there is nothing else, breaks a limit.
    const isKept = loadBreach(error, this.#known.channel.guardrails) !== undefined;
    this.events.fire("problem", { error, stage: isKept ? "rollback" : "swap", version: target.version });
  }

  #blockOf(target: Target): BlockedVersion | undefined {
    return this.#known.blocked.find((each) => each.package === target.package);
  }

  async #block(block: BlockedVersion): Promise<void> {
    const others = this.#known.blocked.filter((each) => each.package !== block.package);
    this.#known = { ...this.#known, blocked: [...others, block] };
    await this.#note({ kind: "blocked", version: block });
    this.#poll.announce();
  }

  async #leave(breach: Breach): Promise<void> {
    const { reason, detail } = breach;
    const { running } = this.versions;
    const { target, version } = running;
    const from = modelRef(version.info);
    const targets = rollbackTargets(this.#known, target.package);
    this.#pinned = undefined;
    let problem: unknown;
    for (const next of targets) {
      try {
        // A version that is only slow is better than waiting.
        await this.#changeTo(next, reason !== "latency");
        const { release } = this.#known.channel;
        const { package: address, version } = target;
        await this.#block({ ...breach, package: address, version, digest: from.digest, release, at: Date.now() });
        this.#rolledBack(from, { ...breach, release });
        this.#deps.record(this.#recordOf("rolled_back", reason, from));
        return;
      } catch (error) {
        if (this.signal.aborted) return;
        problem = error;
      }
    }
    const message = `${detail}, and there is no other version that runs. Publish one.`;
    const error = new InsituError(
      "backend_unavailable",
      message,
      { reason, version: from.version },
      { cause: problem },
    );
    this.events.fire("problem", { error, stage: "rollback" });
  }

  async #pin(version?: string): Promise<void> {
    this.#assertOpen();
    await this.#inOrder(async () => {
      const { base, channel } = this.#known;
      const before = this.#pinned;
      if (version === undefined) {
        this.#pinned = undefined;
        return this.#settle("weight");
      }
      const arm = channel.arms.find((each) => each.version === version);
      if (!arm) throw unknownVersion("version", version, channel.arms);
      this.#pinned = version;
      const { running } = this.versions;
      try {
        const target = targetOf(base, arm);
        await this.#changeTo(target);
        if (isBlocked(target.package, this.#known)) await this.#allow(target);
        if (running.target.package !== target.package) this.#swapped(modelRef(running.version.info), "pin");
      } catch (error) {
        this.#pinned = before;
        throw error;
      }
    });
  }

  /** The page's word ends a block. */
  async #allow(target: Target): Promise<void> {
    const blocked = this.#known.blocked.filter((each) => each.package !== target.package);
    this.#known = { ...this.#known, blocked };
    await this.#note({ kind: "allowed", version: { package: target.package } });
  }

  #swapped(from: ModelRef, reason: RolloutReason): void {
    this.#reason = reason;
    const to = modelRef(this.versions.running.version.info);
    this.events.fire("swap", { from, to, reason, release: this.#known.channel.release });
    this.#deps.record(this.#recordOf(reason === "pin" ? "pinned" : "swapped", reason, from));
  }

  #rolledBack(from: ModelRef, left: Pick<BlockedVersion, "reason" | "detail" | "release" | "count" | "limit">): void {
    const { reason, detail, release, count, limit } = left;
    this.#reason = reason;
    const to = modelRef(this.versions.running.version.info);
    this.events.fire("rollback", { from, to, reason, detail, release, ...(limit !== undefined && { count, limit }) });
  }

  #recordOf(action: RolloutAction, reason: RolloutReason, from?: ModelRef) {
    const { version, target } = this.versions.running;
    return rolloutRecord(version, target, action, reason, from?.version);
  }

  /** What cannot be stored holds for this page all the same. */
  async #note(note: RolloutNote): Promise<void> {
    const call = callWorker(this.#deps, this.signal);
    await call("noteRollout", [this.#deps.url, note]).catch(() => undefined);
  }
}

export type RolloutAction = "assigned" | "swapped" | "rolled_back" | "pinned";

export function rolloutRecord(
  { info }: OpenVersion,
  { role }: Target,
  action: RolloutAction,
  reason: RolloutReason,
  from?: string,
) {
  return { kind: "rollout" as const, model: modelRef(info), arm: role, action, reason, ...(from && { from }) };
}

export function unknownVersion(option: string, version: unknown, arms: readonly ChannelArm[]): InsituError {
  return invalidOption(option, version, `a version of the channel: ${arms.map((arm) => arm.version).join(", ")}`);
}
