// Which feedback is valid: a class or label of the model, a boolean, a score; and the id of a prediction.
import { expect, test, vi } from "vitest";
import { type Monitor, readTruth, recordFeedback } from "../../../../../src/page/lazy/monitor/monitor.js";
import type { Feedback } from "../../../../../src/page/lazy/monitor/types.js";
import type { ModelInfo } from "../../../../../src/shared/types/model.js";

const labels = ["cat", "dog"];

test("a class or label of the model, a boolean and a score are truths", () => {
  expect(readTruth({ class: 1 }, labels)).toEqual({ class: 1 });
  expect(readTruth({ label: "cat" }, labels)).toEqual({ class: 0 });
  expect(readTruth({ correct: false }, labels)).toEqual({ score: 0 });
  expect(readTruth({ score: 0.5 }, labels)).toEqual({ score: 0.5 });
  // Without labels the number of classes is not known.
  expect(readTruth({ class: 99 }, [])).toEqual({ class: 99 });
});

test.each([{ class: 2 }, { class: -1 }, { label: "bird" }, { correct: "yes" }, { score: 2 }, {}])(
  "%j is refused",
  (feedback) => {
    expect(readTruth(feedback as Feedback, labels)).toBeUndefined();
  },
);

test.each([null, undefined, 5, {}])("the id %j is refused before the monitor is called", async (id) => {
  const feedback = vi.fn();
  const monitor = { feedback } as unknown as Monitor;
  const telemetry = { record: () => undefined };
  const result = recordFeedback(monitor, { name: "m", labels } as ModelInfo, telemetry, id as string, { label: "cat" });
  await expect(result).rejects.toMatchObject({ code: "input_invalid" });
  expect(feedback).not.toHaveBeenCalled();
});
