// In the page: a prediction on WebGPU by plain tfjs and by a plan, in turns.
import type { Execute, Feeds } from "../../src/worker/runtime/plan/check-runs.js";
import { tensorsOf } from "../../src/worker/runtime/plan/check-runs.js";
import type { GpuPlan } from "../../src/worker/runtime/plan/webgpu/plan.js";
import { compare, feedsOf, gpuBytes, openGraph, planOf, startGpu } from "../../test/support/gpu-plans.js";

/** Milliseconds until the GPU had all commands, and until the outputs were arrays. */
interface Times {
  submitted: number[];
  whole: number[];
}

export interface Measured {
  tfjs: Times;
  plan: Times;
  dispatches: number;
  recordMs: number;
  /** Of the plan's buffers, those of the weights apart. */
  bytes: number;
}

const WARM = 3;

export async function measure(url: string, to: number, rounds: number, maxMs: number): Promise<Measured> {
  await startGpu();
  const graph = await openGraph(url);
  const started = performance.now();
  const { plan, recording } = await planOf(graph.rewritten, feedsOf(graph, to, 0));
  const recordMs = performance.now() - started;
  const bytes = gpuBytes();
  await compare(plan, graph.rewritten, feedsOf(graph, to, 1));
  const sides = {
    tfjs: (feeds: Feeds) => runPlain(graph.plain, feeds),
    plan: (feeds: Feeds) => replay(plan, feeds),
  };
  const times = { tfjs: { submitted: [], whole: [] } as Times, plan: { submitted: [], whole: [] } as Times };
  const end = performance.now() + maxMs;
  for (let round = -WARM; round < rounds && (round < 1 || performance.now() < end); round += 1) {
    const feeds = feedsOf(graph, to, round + WARM);
    for (const side of round % 2 === 0 ? (["tfjs", "plan"] as const) : (["plan", "tfjs"] as const)) {
      const [submitted, whole] = await sides[side](feeds);
      if (round < 0) continue;
      times[side].submitted.push(submitted);
      times[side].whole.push(whole);
    }
  }
  plan.dispose();
  graph.dispose();
  return { ...times, dispatches: recording.steps.length, recordMs, bytes };
}

type Timed = [submitted: number, whole: number];

async function runPlain(execute: Execute, feeds: Feeds): Promise<Timed> {
  const started = performance.now();
  const inputs = tensorsOf(feeds);
  const results = await execute(inputs);
  // tfjs submits the rest of its commands when it is asked for the outputs.
  const reading = Promise.all(results.map((result) => result.data()));
  const submitted = performance.now() - started;
  await reading;
  const whole = performance.now() - started;
  for (const one of [...results, ...Object.values(inputs)]) one.dispose();
  return [submitted, whole];
}

async function replay(plan: GpuPlan, feeds: Feeds): Promise<Timed> {
  const started = performance.now();
  void plan.execute(feeds);
  const reading = plan.read();
  const submitted = performance.now() - started;
  await reading;
  return [submitted, performance.now() - started];
}
