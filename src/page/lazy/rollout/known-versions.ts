// What a page knows of its channel's versions: which one is good and which are blocked, kept through the worker for other tabs and visits.
import type { RolloutNote } from "../../../shared/protocol.js";
import type { BlockedVersion, KnownGood } from "../../../shared/types/rollout.js";
import { isBlocked, type Target } from "./choose-version.js";
import { callWorker, type KnownChannel, type ReadDeps } from "./known-channel.js";
import { toBlock } from "./load-failures.js";
import type { Breach } from "./types.js";
import type { Running } from "./versions.js";

type KnownVersionsDeps = ReadDeps & { clientEnd: AbortSignal };

export class KnownVersions {
  /** The channel as it was read last. */
  known: KnownChannel;
  readonly #deps: KnownVersionsDeps;

  constructor(deps: KnownVersionsDeps, known: KnownChannel) {
    this.#deps = deps;
    this.known = known;
  }

  /** What is noted of the version; it may hold no more, or be a row of failures that is not over yet. */
  find(target: Target): BlockedVersion | undefined {
    return this.known.blocked.find((each) => each.package === target.package);
  }

  isBlocked(target: Target): boolean {
    return isBlocked(target.package, this.known);
  }

  block(block: BlockedVersion): Promise<void> {
    this.known = { ...this.known, blocked: [...this.#others(block), block] };
    return this.#note({ kind: "blocked", version: block });
  }

  /** Ends a block, or a row of failures. */
  allow({ package: address }: Target): Promise<void> {
    const version = { package: address };
    this.known = { ...this.known, blocked: this.#others(version) };
    return this.#note({ kind: "allowed", version });
  }

  /** Notes what a later rollback goes to. */
  proved({ version, target }: Running): void {
    if (target.package === this.known.lastGood?.package || this.isBlocked(target)) return;
    const good: KnownGood = { package: target.package, version: target.version, digest: version.info.digest };
    this.known.lastGood = good;
    void this.#note({ kind: "good", version: good });
  }

  toBlock({ version, target }: Running, breach: Breach): BlockedVersion {
    return toBlock(target, breach, this.known.channel, version.info.digest);
  }

  /**
   * Keeps a row of failures for the next visit, which a page that predicts once at each visit would never count to its end; without one the
   * row is over. A version that is blocked, and runs by a pin, stays blocked; one that cannot be left is not blocked.
   */
  noteRow(running: Running, row?: Breach): void {
    const { target } = running;
    if (this.isBlocked(target) || (row && row.count >= row.limit)) return;
    if (row) void this.block(this.toBlock(running, row));
    else if (this.find(target)) void this.allow(target);
  }

  /** Predictions in a row that failed at the visits before. */
  failuresOf({ version, target }: Running): number {
    const { reason, digest, count = 0, limit = 0 } = this.find(target) ?? {};
    return reason === "failures" && digest === version.info.digest && count < limit ? count : 0;
  }

  #others(version: { package: string }): BlockedVersion[] {
    return this.known.blocked.filter((each) => each.package !== version.package);
  }

  /** What cannot be stored holds for this page all the same. */
  async #note(note: RolloutNote): Promise<void> {
    const { url, clientEnd } = this.#deps;
    await callWorker(this.#deps, clientEnd)("noteRollout", [url, note]).catch(() => undefined);
  }
}
