// The versions that are open: loads another one beside the one that runs, lets it take over, and frees the one before after its last call.
import { onAbort } from "../../../shared/abort.js";
import { InsituError, isInsituError } from "../../../shared/errors.js";
import type { LoadProgress, ModelInfo } from "../../../shared/types/model.js";
import { keepLabels } from "../../lib/earlier-labels.js";
import type { LiveVersion, OpenPackage, OpenVersion, PackageLoad } from "../../version.js";
import type { Target } from "./choose-version.js";
import { HeldRpc } from "./held-rpc.js";

export interface VersionsDeps {
  /** Name of the model that all versions must have. */
  model: string;
  open: OpenPackage;
  /** Bytes of packages above which two are not open at the same time. */
  maxBytes: number;
  /** Called when a version takes over, before its first prediction. */
  onRuns(running: Running): void;
}

export interface Running {
  version: OpenVersion & { rpc: HeldRpc };
  target: Target;
  /** Of the package's files; 0 where they were open already. */
  bytes: number;
}

/** Two versions have no room at the same time. */
class NoRoomError extends Error {}

const RETRY_MS = 2_000;

export class Versions {
  readonly live: LiveVersion;
  readonly #deps: VersionsDeps;
  #running: Running;
  /** The version before, while its last calls run. */
  #ending: Promise<void> = Promise.resolve();
  readonly #open: Set<OpenVersion>;

  constructor(deps: VersionsDeps, running: Running) {
    this.#deps = deps;
    this.#running = running;
    this.#open = new Set([running.version]);
    this.live = { current: running.version };
    deps.onRuns(running);
  }

  get running(): Running {
    return this.#running;
  }

  /**
   * Lets `target` take over. Rejects where it cannot be loaded, or not be kept though the running one is: then that one goes on.
   * @param isHeld - True: predictions that begin now wait for it, instead of running on the version that is left.
   */
  async change(target: Target, signal: AbortSignal, isHeld = false): Promise<void> {
    // Never three at the same time, but for a version that must be left.
    if (!isHeld) await this.#ending;
    if (target.package === this.#running.target.package) return this.rename(target);
    if (isHeld) return this.#replace(target, signal, false);
    try {
      const next = await this.#load(target, signal, this.#running.bytes);
      await this.#mustBeKept(next, signal);
      const { version: before } = this.#running;
      this.#takeOver(next);
      this.#end(before);
    } catch (error) {
      const isFull = isInsituError(error) && error.code === "out_of_memory";
      if (!(isFull || error instanceof NoRoomError) || signal.aborted) throw error;
      await this.#running.version.rpc.idle();
      await this.#replace(target, signal, true);
    }
  }

  /** The channel says something else of the version that runs: another role, say. */
  rename(target: Target): void {
    this.#running = { ...this.#running, target };
    this.#running.version.info.arm = target.role;
    this.#deps.onRuns(this.#running);
  }

  /** Frees all versions at once. */
  async dispose(): Promise<void> {
    await Promise.all([...this.#open].map((version) => version.rpc.dispose()));
  }

  async #load(target: Target, signal: AbortSignal, bytesBeside: number): Promise<Running> {
    const next = await loadTarget(this.#deps, target, signal, bytesBeside);
    this.#open.add(next.version);
    if (!signal.aborted) return next;
    await this.#free(next.version);
    throw abortedError(target);
  }

  /** A version that is stored is not given up for one that the next visit would not have. */
  async #mustBeKept({ version, target }: Running, signal: AbortSignal): Promise<void> {
    if (!this.#running.version.info.storeError) await version.stored;
    const { storeError } = version.info;
    const isLost = !this.#running.version.info.storeError && storeError?.code === "storage_quota";
    if (!isLost && !signal.aborted) return;
    await this.#free(version);
    throw signal.aborted ? abortedError(target) : storeError;
  }

  /** Holds back what begins now until the target runs; with `unloadsFirst` once the version before was freed. */
  async #replace(target: Target, signal: AbortSignal, unloadsFirst: boolean): Promise<void> {
    const before = this.#running;
    const rpc = new HeldRpc();
    let owner: Pick<OpenVersion, "info"> = before.version;
    const { stored, tuned } = before.version;
    this.live.current = {
      get info() {
        return owner.info;
      },
      set info(info) {
        owner.info = info;
      },
      rpc,
      stored,
      tuned,
    };
    this.#open.add(this.live.current);
    const resume = (next: Running) => {
      owner = next.version;
      this.#open.delete(this.live.current);
      if (next === before) this.live.current = before.version;
      else this.#takeOver(next, before.version);
      rpc.release(next.version.rpc);
    };
    try {
      if (unloadsFirst) {
        await before.version.rpc.idle();
        await this.#free(before.version);
      }
      resume(await this.#load(target, signal, 0));
    } catch (error) {
      resume(unloadsFirst ? await this.#loadAgain(before, signal) : before);
      throw error;
    }
    if (!unloadsFirst) this.#end(before.version);
  }

  /** There is nothing else to run: tried until it runs. */
  async #loadAgain(before: Running, signal: AbortSignal): Promise<Running> {
    for (let wait = RETRY_MS; ; wait = Math.min(wait * 2, 60_000)) {
      try {
        return await this.#load(before.target, signal, 0);
      } catch (error) {
        if (signal.aborted) throw error;
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
  }

  /** From here on, `next` predicts. The page keeps its `info` object, the version before gets a copy. */
  #takeOver(next: Running, before: OpenVersion = this.#running.version): void {
    const info = before.info as unknown as Record<string, unknown>;
    before.info = { ...info } as unknown as ModelInfo;
    keepLabels(info, before.info.version, before.info.labels);
    for (const key of Object.keys(info)) delete info[key];
    Object.assign(info, next.version.info);
    next.version.info = info as unknown as ModelInfo;
    this.#running = next;
    this.#deps.onRuns(next);
    this.live.current = next.version;
  }

  #end(before: Running["version"]): void {
    const ending = before.rpc.idle().then(() => this.#free(before));
    this.#ending = Promise.all([this.#ending, ending]).then(() => undefined);
  }

  async #free(version: OpenVersion): Promise<void> {
    this.#open.delete(version);
    await version.rpc.dispose();
  }
}

export const abortedError = (target: Pick<Target, "package">) =>
  new InsituError("aborted", `Loading ${target.package} was aborted.`);

/** Opens a version. Rejects with `model_integrity` where another model is there. */
export async function loadTarget(
  { model, open, maxBytes }: Pick<VersionsDeps, "model" | "open" | "maxBytes">,
  target: Target,
  signal: AbortSignal,
  bytesBeside = 0,
  more: Pick<PackageLoad, "refresh" | "onProgress" | "isApart"> = {},
): Promise<Running> {
  const stop = new AbortController();
  let isTooMuch = false;
  const unlink = onAbort(signal, () => stop.abort());
  let bytes = 0;
  const onProgress = (progress: LoadProgress) => {
    bytes = progress.total;
    more.onProgress?.(progress);
    isTooMuch = bytesBeside > 0 && bytesBeside + bytes > maxBytes;
    if (isTooMuch) stop.abort();
  };
  try {
    const { role: arm, maxCrashes, not } = target;
    const limits = { ...more, ...(not !== undefined && { not, refresh: true }), maxCrashes };
    const version = await open(target.package, { ...limits, arm, signal: stop.signal, onProgress });
    const rpc = new HeldRpc(version.rpc);
    const { name } = version.info;
    if (name === model) return { version: Object.assign(version, { rpc }), target, bytes };
    await rpc.dispose();
    const message = `${target.package} is the model ${name}, and the channel is of ${model}. Name a version of ${model} in the channel.`;
    throw new InsituError("model_integrity", message, { url: target.package, expected: model, actual: name });
  } catch (error) {
    throw isTooMuch && !signal.aborted ? new NoRoomError() : error;
  } finally {
    unlink();
  }
}
