// On which target a model starts, which is measured next, and which is refused with what reason.
import { expect, test } from "vitest";
import type { BackendMeasurement, BackendReport } from "../../../../../src/shared/types/model.js";
import { refusals, startCandidates } from "../../../../../src/worker/runtime/tuning/candidates.js";
import { nextCandidate } from "../../../../../src/worker/runtime/tuning/next-candidate.js";

const gpu: BackendReport = { backend: "webgpu", available: true };
const software: BackendReport = { backend: "webgpu", available: true, software: true, reason: "software adapter x y" };
const noGpu: BackendReport = { backend: "webgpu", available: false, reason: "no adapter" };
const wasm = (threads = 1): BackendReport => ({ backend: "wasm", available: true, threads });
const cpu: BackendReport = { backend: "cpu", available: true };

test("a model starts in the caller's order, wasm on one thread", () => {
  expect(startCandidates([gpu, wasm(8), cpu])).toEqual({
    order: [{ backend: "webgpu" }, { backend: "wasm", threads: 1 }, { backend: "cpu" }],
    refused: [],
  });
  expect(startCandidates([cpu, wasm()]).order.map(({ backend }) => backend)).toEqual(["cpu", "wasm"]);
});

test("what is not available is refused with the browser's reason", () => {
  const { order, refused } = startCandidates([noGpu, wasm()]);
  expect(order).toEqual([{ backend: "wasm", threads: 1 }]);
  expect(refused).toEqual([{ backend: "webgpu", reason: "no adapter" }]);
});

test("a software GPU is refused unless nothing else is left", () => {
  const { order, refused } = startCandidates([software, wasm()]);
  expect(order).toEqual([{ backend: "wasm", threads: 1 }]);
  expect(refused).toEqual([{ backend: "webgpu", reason: expect.stringContaining("slower than wasm") }]);
  expect(startCandidates([software])).toEqual({ order: [{ backend: "webgpu" }], refused: [] });
});

/** What is measured in which order when each target takes the milliseconds that `cost` says. */
function measureAll(reports: BackendReport[], cost: (target: Omit<BackendMeasurement, "p50Ms">) => number): string[] {
  const measured: BackendMeasurement[] = [];
  for (let next = nextCandidate(reports, measured); next; next = nextCandidate(reports, measured)) {
    expect(measured.length).toBeLessThan(20);
    measured.push({ ...next, p50Ms: cost(next) });
  }
  return measured.map(({ backend, threads }) => (threads ? `${backend} ${threads}` : backend));
}

test("threads are doubled as long as that helps, and never more than there are", () => {
  expect(measureAll([wasm(6)], ({ threads = 1 }) => 100 / threads)).toEqual(["wasm 1", "wasm 2", "wasm 4", "wasm 6"]);
  expect(measureAll([wasm(8)], ({ threads = 1 }) => (threads > 2 ? 300 : 100 / threads))).toEqual([
    ...["wasm 1", "wasm 2", "wasm 4"],
  ]);
  expect(measureAll([wasm(1)], () => 5)).toEqual(["wasm 1"]);
});

test("cpu is measured only where wasm is so fast that its calls count", () => {
  expect(measureAll([gpu, wasm(), cpu], () => 40)).toEqual(["webgpu", "wasm 1"]);
  expect(measureAll([gpu, wasm(), cpu], () => 0.5)).toEqual(["webgpu", "wasm 1", "cpu"]);
  expect(measureAll([cpu], () => 400)).toEqual(["cpu"]);
});

test("cpu is not measured beside a plan", () => {
  const measured: BackendMeasurement[] = [{ backend: "wasm", threads: 1, p50Ms: 0.2 }];
  expect(nextCandidate([wasm(1), cpu], measured, [], false)).toEqual({ backend: "cpu" });
  expect(nextCandidate([wasm(1), cpu], measured, [], true)).toBeUndefined();
});

test("a target that failed is not tried again, nor more threads than it had", () => {
  const measured: BackendMeasurement[] = [{ backend: "wasm", threads: 1, p50Ms: 40 }];
  expect(nextCandidate([wasm(8)], measured, [{ backend: "wasm", threads: 2 }])).toBeUndefined();
});

test("each backend that is not used has a reason: its error, its figure, or that it was not worth measuring", () => {
  const used = { backend: "wasm", threads: 2, p50Ms: 20 } as const;
  const measured: BackendMeasurement[] = [
    { backend: "webgpu", p50Ms: 31.456 },
    { backend: "wasm", threads: 1, p50Ms: 37 },
    used,
  ];
  expect(refusals(["webgpu", "wasm", "cpu"], used, measured, [])).toEqual([
    { backend: "webgpu", reason: "slower: 31.5 ms, wasm takes 20 ms" },
    { backend: "cpu", reason: "not measured: wasm takes 20 ms, which it would not reach" },
  ]);
  const failed = [{ backend: "webgpu", reason: "no adapter" }] as const;
  expect(refusals(["webgpu", "wasm"], used, [used], [...failed])).toEqual(failed);
});
