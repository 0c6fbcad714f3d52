// Watches the predictions of the version that runs: leaves it where it breaks a limit, says when it has proved itself, and feeds the shadow.

import type { ChannelArm } from "../../../shared/types/rollout.js";
import type { OpenVersion, PredictionObserver } from "../../version.js";
import { workOf } from "./agreement.js";
import { createChannelShadow } from "./channel-shadow.js";
import { Guardrails } from "./guardrails.js";
import type { Breach, RolloutControl, RolloutGuards } from "./types.js";

/** The version that runs. */
interface Watched {
  version: OpenVersion;
  arm: ChannelArm;
  guardrails: Guardrails;
}

/** Predictions without a counted failure. */
const PROVED_AFTER = 10;
/** Where no other version runs, how long until a next breach asks again: one may have been published, or the network be back. */
const RETRY_MS = 60_000;

export function createGuards(control: RolloutControl): RolloutGuards {
  const shadow = createChannelShadow(control);
  let watched: Watched | undefined;
  let limits = "";
  let retry: ReturnType<typeof setTimeout> | undefined;

  const newGuardrails = () => {
    const { guardrails } = control.channel();
    limits = JSON.stringify(guardrails);
    return new Guardrails(guardrails);
  };

  const leave = async (breach: Breach | undefined, of: Watched) => {
    // What still runs on a version that was left says nothing about the one that took over.
    if (!breach || of !== watched) return;
    await control.rollBack(breach);
    if (of === watched && !control.signal.aborted) retry = setTimeout(() => of.guardrails.reset(), RETRY_MS);
  };

  return {
    watch(version, arm): PredictionObserver {
      const mine: Watched = { version, arm, guardrails: newGuardrails() };
      clearTimeout(retry);
      watched = mine;
      shadow.renew(arm);
      let good = 0;
      // The fastest backend is looked for while nothing is predicted; a shadow that is loaded meanwhile would make all of them slow.
      let isTuned = false;
      void version.tuned.then(() => {
        isTuned = true;
      });
      return {
        started: (copy, options) => (mine === watched ? shadow.started(copy, options, version.info.task) : undefined),
        predicted({ timings, items }) {
          good += 1;
          // Only a version that the channel calls stable is one to go back to.
          if (good === PROVED_AFTER && mine.arm.role === "stable" && mine === watched) control.proved();
          if (isTuned) shadow.ended();
          // Browsers give hidden pages less of the processor.
          const isHidden = globalThis.document?.visibilityState === "hidden";
          void leave(mine.guardrails.predicted(isHidden ? undefined : workOf(timings, items)), mine);
        },
        failed(code, startedAt) {
          if (code === "out_of_memory" || code === "device_lost") shadow.giveUp(`the main version failed with ${code}`);
          if (mine.guardrails.counts(code)) good = 0;
          void leave(mine.guardrails.failed(code, startedAt), mine);
        },
      };
    },
    changed() {
      const { version, arm } = control.running();
      if (version !== watched?.version) return;
      watched.arm = arm;
      if (JSON.stringify(control.channel().guardrails) !== limits) watched.guardrails = newGuardrails();
      shadow.renew(arm);
    },
    shadow: () => shadow.counts(),
    dispose() {
      clearTimeout(retry);
      watched = undefined;
      shadow.dispose();
    },
  };
}
