// A personal model in the page, with a worker that is simulated: what it sends, what it returns, and which errors it rejects with.
import { expect, test } from "vitest";
import type { SendPersonal } from "../../../../../src/page/lazy/personal/calls.js";
import { createPersonalModel, type PersonalModelDeps } from "../../../../../src/page/lazy/personal/personal-model.js";
import { InsituError, toWire } from "../../../../../src/shared/errors.js";
import type { PersonalMethod, PersonalMethods, WorkerTimings } from "../../../../../src/shared/protocol.js";

const INPUT = Float32Array.of(1, 2);
const timings: WorkerTimings = { queueMs: 0, preprocessMs: 1, executeMs: 2, readbackMs: 0, postprocessMs: 0 };
const memory = { held: 0, used: 0 };
const model = { name: "digits", version: "1.0.0", release: 1, digest: "d" };
const embedding = { dtype: "float32" as const, shape: [1, 2], data: INPUT };
const state = { name: "mine", labels: {}, examples: 0, unusable: 0, fresh: 0, again: 0, version: 0, bytes: 0 };
const prediction: PersonalMethods["predict"]["result"] = {
  value: [{ label: "mug", index: 0, score: 1 }],
  outputs: { embedding },
  label: "mug",
  distance: 0.5,
  head: "nearest-mean",
  version: 0,
  backend: "wasm",
  model,
  timings,
  memory,
};

interface Sent {
  method: PersonalMethod;
  args: object;
  what: string;
}

function open(results: Partial<{ [M in PersonalMethod]: PersonalMethods[M]["result"] }>, deps: object = {}) {
  const sent: Sent[] = [];
  const send = async (method: PersonalMethod, args: object, { what }: { what: string }) => {
    sent.push({ method, args, what });
    return results[method];
  };
  const mine = createPersonalModel({
    name: "mine",
    model: "digits",
    send: send as unknown as SendPersonal,
    assertConsent: () => undefined,
    toTimings: (measured, totalMs) => ({ ...measured, transferMs: 0, totalMs }),
    monitor: undefined,
    monitorUnavailable: () => new InsituError("disabled", "monitor: false"),
    telemetry: { record: () => undefined },
    isBusy: () => false,
    onFired: () => undefined,
    ...(deps as Partial<PersonalModelDeps>),
  });
  return { mine, sent };
}

test("a prediction has the fields of a prediction of the base model, and label and distance", async () => {
  const { mine, sent } = open({ predict: prediction });
  const { id, timings: measured, ...rest } = await mine.predict(INPUT);
  expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect(measured).toMatchObject({ executeMs: 2, totalMs: expect.any(Number) });
  const { timings: _, memory: __, ...expected } = prediction;
  expect(rest).toEqual(expected);
  expect(sent).toEqual([{ method: "predict", args: { input: INPUT }, what: "The prediction of mine" }]);
});

test("an example is sent with an id of the page, so that a repeated call adds it once", async () => {
  const example = { label: "mug", addedAt: 5, kept: false, heldOut: false, usable: true, backend: "wasm" as const };
  const { mine, sent } = open({ addExample: { id: "x", ...example, timings, memory } });
  const added = await mine.addExample(INPUT, "mug");
  expect(added).toMatchObject({ ...example, timings: { executeMs: 2 } });
  expect(added).not.toHaveProperty("memory");
  const id = expect.stringMatching(/^[0-9a-f]{32}$/);
  expect(sent[0]?.args).toEqual({ id, label: "mug", keep: false, input: INPUT });
});

test("invalid arguments are refused with input_invalid before anything is sent", async () => {
  const { mine, sent } = open({});
  const refused = { code: "input_invalid" };
  await expect(mine.addExample(INPUT, "")).rejects.toMatchObject(refused);
  await expect(mine.import("file" as never)).rejects.toMatchObject(refused);
  expect(sent).toEqual([]);
});

test("without consent nothing is learned, and predictions go on", async () => {
  const assertConsent = () => {
    throw new InsituError("consent_denied", "The user denied consent.");
  };
  const { mine } = open({ predict: prediction }, { assertConsent });
  const denied = { code: "consent_denied" };
  await expect(mine.addExample(INPUT, "mug")).rejects.toMatchObject(denied);
  await expect(mine.train()).rejects.toMatchObject(denied);
  await expect(mine.import(new Blob())).rejects.toMatchObject(denied);
  await expect(mine.feedback("x", { correct: true })).rejects.toMatchObject(denied);
  expect((await mine.predict(INPUT)).label).toBe("mug");
});

test("feedback rejects with disabled where monitoring is off", async () => {
  const { mine } = open({ predict: prediction });
  const { id } = await mine.predict(INPUT);
  await expect(mine.feedback(id, { label: "mug" })).rejects.toMatchObject({ code: "disabled" });
  expect(mine.monitor.snapshot()).toMatchObject({ versions: [], fired: [] });
});

test("after dispose every call except forget rejects with disposed", async () => {
  const { mine, sent } = open({ forget: undefined });
  await mine.dispose();
  await mine.dispose();
  const disposed = { code: "disposed" };
  const calls = [
    mine.state(),
    mine.addExample(INPUT, "mug"),
    mine.examples(),
    mine.kept("x"),
    mine.remove("x"),
    mine.train(),
    mine.predict(INPUT),
    mine.evaluate(),
    mine.versions(),
    mine.revert(),
    mine.feedback("x", { correct: true }),
    mine.export(),
    mine.import(new Blob()),
  ];
  for (const call of calls) await expect(call).rejects.toMatchObject(disposed);
  await mine.forget();
  expect(sent.map(({ method }) => method)).toEqual(["forget"]);
});

test("forget removes feedback also where the worker cannot be reached", async () => {
  const cleared: string[] = [];
  const monitor = { clear: async () => void cleared.push("feedback") };
  const send = async () => {
    throw new InsituError("timeout", "The worker did not reply.");
  };
  const { mine } = open({}, { monitor, send });
  await expect(mine.forget()).rejects.toMatchObject({ code: "timeout" });
  expect(cleared).toEqual(["feedback"]);
});

test("a storage error of the worker arrives as an InsituError", async () => {
  const storeError = toWire(new InsituError("storage_unavailable", "Nothing can be stored."));
  const { mine } = open({ state: { ...state, storeError } });
  const found = await mine.state();
  expect(found.storeError).toBeInstanceOf(InsituError);
  expect(found.storeError).toMatchObject({ code: "storage_unavailable" });
});
