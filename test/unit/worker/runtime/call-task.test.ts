// Options of one call over the manifest's task: merged where they fit, refused by name where they do not.
import { expect, test } from "vitest";
import type { ModelTask } from "../../../../src/shared/types/manifest.js";
import type { TaskOptions } from "../../../../src/shared/types/model.js";
import { callTask } from "../../../../src/worker/runtime/call-task.js";

const classification: ModelTask = { kind: "classification", labels: ["cat", "dog"], top: 2, activation: "softmax" };
const detection: ModelTask = {
  kind: "detection",
  labels: ["cat", "dog"],
  columns: ["left", "top", "right", "bottom", "score", "class"],
};

test("without options the task is the manifest's", () => {
  expect(callTask(classification)).toEqual({ task: classification });
  expect(callTask(classification, { top: undefined, labels: undefined }).task).toBe(classification);
});

test("options override the task's, and nothing else", () => {
  expect(callTask(classification, { top: 1 })).toEqual({ task: { ...classification, top: 1 } });
  expect(callTask(detection, { minScore: 0, maxOverlap: 1 })).toEqual({
    task: { ...detection, minScore: 0, maxOverlap: 1 },
  });
  expect(callTask(detection, { labels: ["dog"] })).toEqual({ task: detection, labels: new Set(["dog"]) });
});

test("a class without a label is named by its index", () => {
  expect(callTask({ ...classification, labels: [] }, { labels: ["7"] }).labels).toEqual(new Set(["7"]));
  expect(() => callTask(classification, { labels: ["1"] })).toThrow(/names "1", which the model does not have/);
});

test.each<[ModelTask, Record<string, unknown>, string, RegExp]>([
  [classification, { top: 0 }, "top", /must be an integer of at least 1/],
  [classification, { top: 1.5 }, "top", /integer/],
  [classification, { top: "1" }, "top", /integer/],
  [classification, { minScore: 0.5 }, "minScore", /not an option of the task classification, which has top, labels/],
  [classification, { labels: [] }, "labels", /at least one label/],
  [classification, { labels: "cat" }, "labels", /array/],
  [classification, { labels: ["bird"] }, "labels", /"bird"/],
  [detection, { minScore: -0.1 }, "minScore", /from 0 to 1/],
  [detection, { minScore: Number.NaN }, "minScore", /from 0 to 1/],
  [detection, { maxOverlap: 1.1 }, "maxOverlap", /from 0 to 1/],
  [detection, { top: 3 }, "top", /not an option of the task detection/],
  [{ kind: "regression" }, { top: 3 }, "top", /which has no such options/],
])("%j refuses %j", (task, options, option, message) => {
  const call = () => callTask(task, options as TaskOptions);
  expect(call).toThrow(message);
  expect(call).toThrow(expect.objectContaining({ code: "input_invalid", data: { option } }));
});
