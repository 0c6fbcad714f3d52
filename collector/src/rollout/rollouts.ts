// Opens what decides about versions: channels, decisions, drift; and looks at them once a minute.
import { Drift } from "../drift/drift.js";
import { Profiles } from "../drift/profiles.js";
import type { OwnMetric } from "../prometheus.js";
import type { Store } from "../store.js";
import { Channels } from "./channels.js";
import { Decisions } from "./decisions.js";
import type { Margins } from "./judge.js";
import { rolloutMetrics } from "./rollout-metrics.js";

export interface RolloutDeps {
  store: Store;
  /** Epoch milliseconds. */
  now: () => number;
  margins: Margins;
  /** Paths of insitu.json. */
  references?: readonly string[];
}

export interface Rollouts {
  channels: Channels;
  decisions: Decisions;
  drift: Drift;
  profiles: Profiles;
  now(): number;
  /** Of the last look. */
  metrics(): OwnMetric[];
  start(): void;
  /** Waits for a look that runs. */
  close(): Promise<void>;
}

// Labels come in over hours; a minute is soon enough, and a look is some dozens of queries at most.
const LOOK_MS = 60_000;

export async function openRollouts({ store, now, margins, references = [] }: RolloutDeps): Promise<Rollouts> {
  const channels = await Channels.open(store, now);
  const profiles = await Profiles.open(store, references);
  const decisions = new Decisions({ store, channels, margins, now });
  const drift = new Drift({ store, profiles, now });
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;
  const look = async () => {
    await decisions.refresh();
    await drift.refresh();
  };
  const lookInTurn = () => {
    looking ??= look()
      .catch((error) => console.error("The versions could not be judged:", error))
      .finally(() => {
        looking = undefined;
      });
  };
  return {
    channels,
    decisions,
    drift,
    profiles,
    now,
    metrics: () => rolloutMetrics(decisions.latest(), drift.latest()),
    start() {
      timer = setInterval(lookInTurn, LOOK_MS);
      timer.unref();
    },
    async close() {
      clearInterval(timer);
      await looking;
    },
  };
}
