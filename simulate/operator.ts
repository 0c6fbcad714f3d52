// The operator of a simulated site: asks the collector for its decision once a day, and changes the channel as `insitu channel --auto` does.

import { nextStep, type Step } from "../src/cli/channel/auto.js";
import { parseDecision } from "../src/cli/channel/decision.js";
import { type Plan, planPromote, planRaise, planRollback, planStart } from "../src/cli/channel/plan.js";
import { parseChannel } from "../src/shared/rollout/parse-channel.js";
import type { Channel } from "../src/shared/types/rollout.js";
import type { Clock } from "./clock.js";
import { CANARY } from "./fleet.js";
import { MODEL } from "./simulated-page.js";

export type OperatorStep = Step;

export interface Operator {
  /** The channel in force. */
  channel(): Channel;
  look(): Promise<OperatorStep>;
}

export interface OperatorDeps {
  clock: Clock;
  /** The collector's address. */
  collector: string;
  weight: number;
  salt: string;
  /** Called with each release, so that somebody can serve it. */
  publish(text: string): Promise<void>;
}

const STABLE_ARM = { package: "./1.0.0/", version: "1.0.0", model: MODEL, signedBy: [], isTested: true };
const CANARY_ARM = { package: `./${CANARY}/`, version: CANARY, model: MODEL, signedBy: [], isTested: true };
const STEPS = [5, 25, 50];
const WHERE = "http://simulation.test/channel.json";

export async function startOperator(deps: OperatorDeps): Promise<Operator> {
  let release = 0;
  let channel: Channel;
  const publish = async (plan: Plan) => {
    release += 1;
    const text = JSON.stringify({ ...plan, release, created: new Date(deps.clock.now()).toISOString() });
    channel = parseChannel(text, WHERE);
    await deps.publish(text);
  };
  const start = { stable: STABLE_ARM, canary: CANARY_ARM, weight: deps.weight, salt: deps.salt };
  await publish(planStart(undefined, start, WHERE));
  return {
    channel: () => channel,
    async look() {
      const address = `${deps.collector}/v1/rollouts/${MODEL}`;
      const answer = await fetch(address);
      const decision = parseDecision(await answer.text(), MODEL, address);
      // A share lasts at least two days.
      const step = nextStep(channel, decision, {
        steps: STEPS,
        pause: 48 * 3600 * 1000,
        isHeld: false,
        now: deps.clock.now(),
      });
      if (step.action === "rollback") await publish(planRollback(channel, step.version));
      if (step.action === "promote") await publish(planPromote(channel, undefined));
      if (step.action === "raise") await publish(planRaise(channel, step.to, undefined));
      return step;
    },
  };
}
