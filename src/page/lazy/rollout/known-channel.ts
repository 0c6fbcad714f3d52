// Reads a channel through the worker, checks what the worker leaves to the page, and assigns this browser to one of its versions.
import { fromWire, type InsituError } from "../../../shared/errors.js";
import type { ChannelState, ClientMethod, HostArgs, HostResult } from "../../../shared/protocol.js";
import { assignArm } from "../../../shared/rollout/assign-arm.js";
import { packageOfArm, parseChannel } from "../../../shared/rollout/parse-channel.js";
import type { PackageRequest } from "../../../shared/types/model.js";
import type { Channel } from "../../../shared/types/rollout.js";
import type { Rpc } from "../../workers/rpc.js";
import type { Choice } from "./choose-version.js";

export interface KnownChannel extends Choice {
  /** Why the host's answer is not used. */
  problem?: InsituError;
  /** True where the channel that was accepted last has expired, and there is no other. */
  isExpired: boolean;
  /** When the host answered last, in epoch milliseconds. */
  checkedAt?: number;
}

export interface ReadDeps {
  url: string;
  /** What the addresses of the packages are relative to. */
  base: string;
  /** How the packages are requested. */
  request?: PackageRequest;
  rpc: Rpc;
}

// Four tries of at most 15 s without a byte, and the pauses between them.
const READ_MS = 90_000;

export type CallWorker = <M extends ClientMethod>(method: M, args: HostArgs<M>) => Promise<HostResult<M>>;

export function callWorker({ rpc, url }: ReadDeps, signal: AbortSignal): CallWorker {
  const limits = { signal, timeout: READ_MS, what: `Reading the channel ${url}` };
  return (method, args) => rpc.call(method, args, limits);
}

/** Rejects where neither the host nor the store has a channel that can be used. With `refresh` the host is asked. */
export async function readKnownChannel(deps: ReadDeps, refresh: boolean, signal: AbortSignal): Promise<KnownChannel> {
  const { url, base } = deps;
  // Headers may be secrets of the packages' host.
  const request = new URL(url).origin === new URL(base).origin ? deps.request : undefined;
  const call = callWorker(deps, signal);
  const state = await call("readChannel", [url, { refresh, request }]);
  const { seed, blocked, lastGood, checkedAt } = state;
  const { channel, isExpired, problem } = await acceptOffered(state, deps, call);
  const assigned = await assignArm(channel, seed, (bytes) => call("sha256", [bytes]));
  return { base, channel, assigned, blocked, lastGood, checkedAt, isExpired, problem };
}

type Accepted = Pick<KnownChannel, "channel" | "isExpired" | "problem">;

async function acceptOffered(state: ChannelState, { url, base }: ReadDeps, call: CallWorker): Promise<Accepted> {
  const { offered, text, isExpired = false } = state;
  let problem = state.problem && (fromWire(state.problem) as InsituError);
  if (offered !== undefined) {
    try {
      const channel = parseWhole(offered, url, base);
      const { model: name, release } = channel;
      await call("noteRollout", [url, { kind: "accepted", text: offered, name, release }]);
      return { channel, isExpired: false };
    } catch (error) {
      if (text === undefined) throw error;
      problem = error as InsituError;
    }
  }
  return { channel: parseWhole(text ?? "", url, base), isExpired, problem };
}

function parseWhole(text: string, url: string, base: string): Channel {
  const channel = parseChannel(text, url);
  for (const arm of channel.arms) packageOfArm(base, arm);
  return channel;
}
