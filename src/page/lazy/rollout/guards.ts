// Watches the predictions of the version that runs: leaves it where it breaks a limit, says when it has proved itself, and feeds the shadow.

import type { ErrorCode } from "../../../shared/errors.js";
import type { HostPrediction } from "../../../shared/protocol.js";
import type { PredictionObserver } from "../../version.js";
import type { RolloutControl, RolloutGuards, Shadow } from "./control.js";
import { Guardrails, workOf } from "./guardrails.js";
import type { Breach } from "./types.js";
import type { Running } from "./versions.js";

/** The version that runs, or that ran and still has predictions. */
interface Watched {
  running: Running;
  guardrails: Guardrails;
  /** Predictions without a counted failure. */
  good: number;
  isTuned: boolean;
}

const PROVED_AFTER = 10;
/** Where no other version runs, how long until a next breach asks again: one may have been published, or the network be back. */
const RETRY_MS = 60_000;

export class Guards implements RolloutGuards {
  readonly #control: RolloutControl;
  #watched: Watched | undefined;
  #shadow: Shadow | undefined;
  #limits = "";
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(control: RolloutControl) {
    this.#control = control;
  }

  watch(running: Running): PredictionObserver {
    const { version } = running;
    const failed = this.#control.store.failuresOf(running);
    const mine: Watched = { running, guardrails: this.#newGuardrails(failed), good: 0, isTuned: false };
    clearTimeout(this.#retry);
    this.#watched = mine;
    void this.#renewShadow();
    // The fastest backend is looked for while nothing is predicted; a shadow that is loaded meanwhile would make all of them slow.
    void version.tuned.then(() => {
      mine.isTuned = true;
    });
    return {
      started: (copy, options) =>
        mine === this.#watched ? this.#shadow?.started(copy, options, version.info.task) : undefined,
      predicted: (result) => this.#predicted(mine, result),
      failed: (code, startedAt) => this.#failed(mine, code, startedAt),
    };
  }

  changed(): void {
    const { running } = this.#control.versions;
    const watched = this.#watched;
    if (running.version !== watched?.running.version) return;
    watched.running = running;
    if (JSON.stringify(this.#control.store.known.channel.guardrails) !== this.#limits)
      watched.guardrails = this.#newGuardrails();
    void this.#renewShadow();
  }

  shadow() {
    return this.#shadow?.counts();
  }

  dispose(): void {
    clearTimeout(this.#retry);
    this.#watched = undefined;
    this.#shadow?.dispose();
  }

  #newGuardrails(failed = 0): Guardrails {
    const { guardrails } = this.#control.store.known.channel;
    this.#limits = JSON.stringify(guardrails);
    return new Guardrails(guardrails, failed);
  }

  #predicted(mine: Watched, result: HostPrediction): void {
    mine.good += 1;
    if (mine === this.#watched) {
      const { store } = this.#control;
      if (mine.good === 1) store.noteRow(mine.running);
      // Only a version that the channel calls stable is one to go back to.
      if (mine.good === PROVED_AFTER && mine.running.target.role === "stable") store.proved(mine.running);
    }
    if (mine.isTuned) this.#shadow?.ended();
    // Browsers give hidden pages less of the processor.
    const isHidden = globalThis.document?.visibilityState === "hidden";
    this.#leave(mine, mine.guardrails.predicted(isHidden ? undefined : workOf(result)));
  }

  #failed(mine: Watched, code: ErrorCode, startedAt: number): void {
    if (code === "out_of_memory" || code === "device_lost")
      this.#shadow?.giveUp(`the main version failed with ${code}`);
    const breach = mine.guardrails.failed(code, startedAt);
    if (mine.guardrails.counts(code)) {
      // What succeeds now and then is not written down each time.
      if (mine.good === 0 && mine === this.#watched) this.#control.store.noteRow(mine.running, mine.guardrails.row());
      mine.good = 0;
    }
    this.#leave(mine, breach);
  }

  #leave(mine: Watched, breach: Breach | undefined): void {
    // What still runs on a version that was left says nothing about the one that took over.
    if (!breach || mine !== this.#watched) return;
    void this.#control.rollBack(breach).then(() => {
      if (mine !== this.#watched || this.#control.signal.aborted) return;
      this.#retry = setTimeout(() => {
        mine.guardrails = this.#newGuardrails();
      }, RETRY_MS);
    });
  }

  /** Its part of the library is fetched by browsers whose channel has a shadow. */
  async #renewShadow(): Promise<void> {
    const control = this.#control;
    if (!this.#shadow && control.shadowArm()) {
      // Without it there are no comparisons; the next change of the channel tries again.
      const module = await control.deps.loadShadow().catch(() => undefined);
      if (module && this.#watched) this.#shadow ??= module.createShadow(control, workOf);
    }
    if (this.#watched) this.#shadow?.renew(this.#watched.running.target.arm);
  }
}
