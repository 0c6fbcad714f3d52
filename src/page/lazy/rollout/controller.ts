// Owns which version of a channel a model runs: reads the channel, swaps to what it assigns, pins, and goes back.
import { disposedError } from "../../../shared/disposed-error.js";
import { asInsituError, InsituError } from "../../../shared/errors.js";
import { modelRef } from "../../../shared/model-ref.js";
import { createSerialQueue } from "../../../shared/serial-queue.js";
import type { ChannelArm } from "../../../shared/types/rollout.js";
import type { OpenVersion } from "../../version.js";
import {
  chooseTargets,
  pinnedTarget,
  repairedTarget,
  rollbackTargets,
  type Target,
  targetOf,
} from "./choose-version.js";
import type { RolloutControl, RolloutGuards } from "./control.js";
import type { RolloutDeps } from "./deps.js";
import { crashLimit } from "./guardrails.js";
import { Guards } from "./guards.js";
import { readKnownChannel } from "./known-channel.js";
import type { KnownVersions } from "./known-versions.js";
import { blockOf, createBackoff } from "./load-failures.js";
import { type Poll, startPoll } from "./poll.js";
import { Reports } from "./reports.js";
import type { Breach, RolloutReason, RolloutSnapshot } from "./types.js";
import { loadTarget, type Running, Versions } from "./versions.js";

/** What the first load found. */
export interface Begun {
  store: KnownVersions;
  running: Running;
  reason: RolloutReason;
  pinned?: string;
}

export class RolloutController implements RolloutControl {
  readonly versions: Versions;
  readonly store: KnownVersions;
  readonly reports: Reports;
  pinned: string | undefined;
  status: RolloutSnapshot["status"] = "idle";
  readonly deps: RolloutDeps;
  readonly #end = new AbortController();
  readonly #inOrder = createSerialQueue();
  readonly #backoff: ReturnType<typeof createBackoff>;
  readonly #poll: Poll;
  readonly #guards: RolloutGuards;
  #checking: { refresh: boolean; done: Promise<void> } | undefined;
  /** Aborts the change that runs. */
  #change = new AbortController();
  #isRollingBack = false;

  constructor(deps: RolloutDeps, { store, running, reason, pinned }: Begun) {
    const { signal } = this;
    this.deps = deps;
    this.pinned = pinned;
    this.store = store;
    this.reports = new Reports(deps, store, () => this.versions, reason);
    this.#backoff = createBackoff(deps.every);
    const { channel, checkedAt, lastGood } = store.known;
    const { model } = channel;
    this.#guards = new Guards(this);
    this.versions = new Versions({ ...deps, model, onRuns: (next) => this.#watch(next) }, running);
    if (!lastGood && running.target.role === "stable") store.proved(running);
    const check = () => this.#update(true);
    const reread = () => void this.#update(false);
    this.#poll = startPoll({ ...deps, checkedAt, check, reread, signal });
    deps.clientEnd.addEventListener("abort", () => this.dispose(), { signal });
  }

  get signal(): AbortSignal {
    return this.#end.signal;
  }

  async open(arm: ChannelArm, signal: AbortSignal): Promise<OpenVersion> {
    const { base, channel } = this.store.known;
    const { model, guardrails } = channel;
    const target = { ...targetOf(base, arm), maxCrashes: crashLimit(guardrails) };
    return (await loadTarget({ ...this.deps, model }, target, signal, 0, { isApart: true })).version;
  }

  shadowArm(): ChannelArm | undefined {
    const { base, channel } = this.store.known;
    const arm = channel.arms.find(({ role }) => role === "shadow");
    return arm && !this.store.isBlocked(targetOf(base, arm)) ? arm : undefined;
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
    this.status = "disposed";
    this.#guards.dispose();
    void this.versions.dispose();
  }

  shadowCounts = () => this.#guards.shadow();

  async check(): Promise<void> {
    this.#assertOpen();
    this.#backoff.clear();
    await this.#update(true);
    this.#assertOpen();
    this.#poll.announce();
  }

  async pin(version?: string): Promise<void> {
    this.#assertOpen();
    await this.#inOrder(async () => {
      this.#assertOpen();
      const before = this.pinned;
      if (version === undefined) {
        this.pinned = undefined;
        return this.#settle("weight");
      }
      const target = pinnedTarget(this.store.known, version, "version");
      this.pinned = version;
      const { running } = this.versions;
      try {
        await this.#changeTo(target);
        if (this.store.isBlocked(target)) await this.store.allow(target);
        if (running.target.package !== target.package) this.reports.swapped(modelRef(running.version.info), "pin");
      } catch (error) {
        this.pinned = before;
        throw error;
      }
    });
  }

  #watch(running: Running): void {
    if (running.version.observer) this.#guards.changed();
    else running.version.observer = this.#guards.watch(running);
  }

  #assertOpen(): void {
    if (this.signal.aborted) throw disposedError("The model");
  }

  /** Reads the channel and runs what it assigns; with `refresh` the host is asked. One at a time; never rejects. */
  #update(refresh: boolean): Promise<void> {
    // What is read without a request is no answer to who wants one.
    if (this.#checking && (this.#checking.refresh || !refresh)) return this.#checking.done;
    const done = this.#inOrder(() => this.#read(refresh)).finally(() => {
      if (this.#checking?.done === done) this.#checking = undefined;
      if (!this.signal.aborted) this.status = "idle";
    });
    this.#checking = { refresh, done };
    return done;
  }

  async #read(refresh: boolean): Promise<void> {
    const { store, reports } = this;
    this.status = "checking";
    const before = store.known;
    // A rollback must not wait for a host that does not answer.
    const { signal } = this.#beginChange();
    try {
      store.known = await readKnownChannel(this.deps, refresh, signal);
      const { problem } = store.known;
      // Without a request there is nothing new to say about it.
      if (problem && refresh) reports.problem(problem, "channel");
    } catch (error) {
      if (signal.aborted) return;
      const problem = asInsituError(error, "unknown", "Reading the channel failed");
      store.known = { ...before, problem };
      reports.problem(problem, "channel");
    }
    if (store.known.channel.release !== before.channel.release) this.#backoff.clear();
    // An expired channel assigns nothing: what runs goes on.
    if (!store.known.isExpired) await this.#settle();
    if (!this.signal.aborted) this.#guards.changed();
  }

  /** Runs the first version of the channel that can be loaded; what runs now is left only for another that runs. */
  async #settle(reason: RolloutReason = "release"): Promise<void> {
    if (this.pinned !== undefined || this.signal.aborted) return;
    const { store, versions } = this;
    const { running } = versions;
    const mustLeave = store.isBlocked(running.target);
    const repaired = repairedTarget(store.known, running.target.package);
    for (const target of [...repaired, ...chooseTargets(store.known)]) {
      if (target.package === running.target.package) return versions.rename(target);
      if (this.#backoff.isResting(target.package)) {
        if (mustLeave) continue;
        return;
      }
      try {
        await this.#changeTo(target, mustLeave);
        if (store.find(target)) await store.allow(target);
        const from = modelRef(running.version.info);
        const block = mustLeave && store.find(running.target);
        if (block) this.reports.rolledBack(from, block, false);
        else this.reports.swapped(from, reason);
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
    this.status = "swapping";
    await this.versions.change(target, signal, isHeld);
  }

  #beginChange(): AbortController {
    this.#change = new AbortController();
    if (this.signal.aborted) this.#change.abort();
    return this.#change;
  }

  /** Tells that a version could not be loaded; true where it is blocked from now on. */
  async #failed(target: Target, thrown: unknown): Promise<boolean> {
    const error = asInsituError(thrown, "unknown", `Loading ${target.package} failed`);
    const { store } = this;
    const { channel } = store.known;
    const before = store.find(target);
    // Its folder holds what it did. The next release asks again.
    const isAsBefore = before && error.data.left;
    const block = isAsBefore ? { ...before, release: channel.release } : blockOf(target, error, channel);
    if (block) {
      await store.block(block);
      this.#poll.announce();
    } else this.#backoff.failed(target.package);
    if (!isAsBefore) this.reports.loadFailed(target, error, block);
    return block !== undefined;
  }

  async #leave(breach: Breach): Promise<void> {
    const { reason, detail } = breach;
    const { store, versions } = this;
    const { running } = versions;
    const from = modelRef(running.version.info);
    const block = store.toBlock(running, breach);
    this.pinned = undefined;
    let cause: unknown;
    for (const next of rollbackTargets(store.known, running.target.package)) {
      try {
        // A version that is only slow is better than waiting.
        await this.#changeTo(next, reason !== "latency");
        await store.block(block);
        this.#poll.announce();
        this.reports.rolledBack(from, block, true);
        return;
      } catch (error) {
        if (this.signal.aborted) return;
        cause = error;
      }
    }
    const message = `${detail}, and there is no other version that runs. Publish one.`;
    const data = { reason, version: from.version };
    this.reports.problem(new InsituError("backend_unavailable", message, data, { cause }), "rollback");
  }
}
