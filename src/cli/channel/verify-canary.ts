// Verifies the package of a canary before it gets more browsers.
import type { Channel } from "../../shared/types/rollout.js";
import { canariesOf, versionOf } from "./plan.js";
import type { ChannelTarget } from "./target.js";

/** Every byte of it. Throws what `find` of the target's packages throws; the plan says what is wrong where there is no such canary. */
export async function verifyCanary(
  channel: Channel,
  target: ChannelTarget,
  version: string | undefined,
): Promise<void> {
  const canary = canariesOf(channel).find((one) => version === undefined || versionOf(one) === version);
  if (canary) await target.packages.find(canary.package);
}
