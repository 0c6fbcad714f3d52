// The rollout as the page sees it: `model.rollout`.
import { modelRef } from "../../../shared/model-ref.js";
import { isBlocked } from "./choose-version.js";
import type { RolloutController } from "./controller.js";
import type { Rollout, RolloutSnapshot } from "./types.js";

export function toRollout(controller: RolloutController): Rollout {
  const { url } = controller.deps;
  const { versions, store, reports } = controller;
  const { addEventListener, removeEventListener } = reports.events;
  return {
    channel: url,
    get release() {
      return store.known.channel.release;
    },
    get arm() {
      return versions.running.target.role;
    },
    get version() {
      return versions.running.target.version;
    },
    get pinned() {
      return controller.pinned;
    },
    state(): RolloutSnapshot {
      const { channel, blocked, lastGood, checkedAt, problem } = store.known;
      const { version, target } = versions.running;
      const { version: name, role: arm } = target;
      return {
        channel: url,
        release: channel.release,
        running: { version: name, arm, model: modelRef(version.info), reason: reports.reason },
        pinned: controller.pinned,
        arms: structuredClone(channel.arms),
        lastKnownGood: lastGood?.version,
        blocked: structuredClone(blocked.filter((block) => isBlocked(block.package, store.known))),
        status: controller.status,
        checkedAt,
        problem,
        shadow: controller.shadowCounts(),
      };
    },
    check: () => controller.check(),
    pin: (version) => controller.pin(version),
    addEventListener,
    removeEventListener,
  };
}
