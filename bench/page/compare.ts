// Runs in the page: compares all engines in turn on the same picture, and their outputs for the same input.

import type { Manifest } from "../../src/shared/types/manifest.js";
import type { Backend } from "../../src/shared/types/tensor.js";
import { type CreateClient, loadInsitu } from "./insitu.js";
import { loadPeer, type Peer } from "./peers.js";
import { photo } from "./photo.js";
import { loadPlain } from "./plain.js";
import { prepare } from "./prepare.js";
import { difference, type Execution, type Side } from "./side.js";

export interface Plan {
  base: string;
  picture: string;
  backend: Backend;
  rounds: number;
  /** Engines other than insitu and plain tfjs. */
  peers: Peer[];
}

/** The result of one engine. */
export interface SideResult {
  name: string;
  /** Milliseconds of each prediction, in the order of the rounds. */
  times: number[];
  ran: Execution;
  /** Difference to the outputs of plain tfjs for the same input; see `difference`. */
  difference: number;
}

export interface Comparison {
  /** insitu first, plain tfjs second, then the peers that could be loaded. */
  sides: SideResult[];
  /** Why peers could not run. */
  failed: { name: string; reason: string }[];
  isolated: boolean;
}

// They compile code and fill caches.
const WARM_UP_ROUNDS = 3;
// Threads of wasm engines spin for a few milliseconds after a run, which must not slow down the next engine.
const PAUSE_MS = 20;

/** The clock stops after the outputs are read back. */
export async function compare(createClient: CreateClient, plan: Plan): Promise<Comparison> {
  const { base, backend } = plan;
  const image = await photo(plan.picture);
  const manifest = (await (await fetch(`${base}insitu.json`)).json()) as Manifest;
  const sides = new Map<string, Side>();
  sides.set("insitu", await loadInsitu(createClient, base, backend));
  const plain = await loadPlain(base, backend);
  sides.set("plain tfjs", plain);
  const failed: Comparison["failed"] = [];
  for (const peer of plan.peers) {
    try {
      sides.set(peer.name, await loadPeer(peer, manifest));
    } catch (error) {
      failed.push({ name: peer.name, reason: String(error) });
    }
  }
  const input = prepare(image, manifest);
  const reference = await plain.outputs(input);
  const differences = new Map<string, number>();
  for (const [name, side] of sides) differences.set(name, difference(await side.outputs(input), reference, manifest));
  const times = await takeTurns(sides, image, plan.rounds);
  const measured = [...sides].map(([name, side]) => ({
    name,
    times: times.get(name) ?? [],
    ran: side.ran(),
    difference: differences.get(name) ?? Number.NaN,
  }));
  for (const side of sides.values()) await side.dispose();
  return { sides: measured, failed, isolated: crossOriginIsolated };
}

/** Each round runs every engine once. The order rotates, and is reversed in every other cycle. */
async function takeTurns(sides: Map<string, Side>, image: HTMLImageElement, rounds: number) {
  const names = [...sides.keys()];
  const times = new Map<string, number[]>(names.map((name) => [name, []]));
  for (let round = -WARM_UP_ROUNDS; round < rounds; round += 1) {
    const turn = Math.abs(round) % names.length;
    const order = [...names.slice(turn), ...names.slice(0, turn)];
    if (Math.floor(Math.abs(round) / names.length) % 2 === 1) order.reverse();
    for (const name of order) {
      if (crossOriginIsolated) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      const started = performance.now();
      await sides.get(name)?.predict(image);
      if (round >= 0) times.get(name)?.push(performance.now() - started);
    }
  }
  return times;
}
