// Calls of personal models are checked before they reach a handler.
import { expect, test, vi } from "vitest";
import type { Host, PersonalMethod } from "../../../../src/shared/protocol.js";
import { validateHostCalls } from "../../../../src/worker/validate-request.js";

const input = { kind: "tensor", data: new Float32Array(4) };
/** The compiler demands an entry for every method. */
const VALID: Record<PersonalMethod, object> = {
  state: {},
  addExample: { id: "x", label: "mug", keep: false, input },
  examples: {},
  kept: { id: "x" },
  remove: { label: "mug" },
  train: { budget: 1_000, trigger: "asked" },
  predict: { input },
  evaluate: {},
  versions: {},
  revert: {},
  export: { kept: true },
  import: { file: new Blob() },
  forget: {},
};
const INVALID: [method: string, args: unknown][] = [
  ["addExample", { id: "x", label: "", keep: false, input }],
  ["addExample", { id: "x", label: "mug", keep: "yes", input }],
  ["addExample", { id: "x", label: "mug", keep: false }],
  ["kept", {}],
  ["remove", { id: 5 }],
  ["train", { budget: "long", trigger: "asked" }],
  ["predict", { input: { kind: "other" } }],
  ["revert", { version: "1" }],
  ["export", {}],
  ["import", { file: "text" }],
  ["state", undefined],
  ["state", null],
  ["constructor", {}],
  ["__proto__", {}],
  ["toString", {}],
];

function host() {
  const personal = vi.fn();
  const checked = validateHostCalls({ personal } as unknown as Host);
  const call = checked.personal as (...args: unknown[]) => unknown;
  return { personal, call: (request: unknown) => call(1, 1, "mine", request) };
}

test("every method passes with its arguments", () => {
  const { personal, call } = host();
  for (const [method, args] of Object.entries(VALID)) call({ method, args });
  expect(personal).toHaveBeenCalledTimes(Object.keys(VALID).length);
});

test("an unknown method or a wrong argument is refused with input_invalid", () => {
  const { personal, call } = host();
  for (const [method, args] of INVALID)
    expect(() => call({ method, args }), method).toThrow(expect.objectContaining({ code: "input_invalid" }));
  for (const request of [undefined, null, "state", {}, { method: 5, args: {} }])
    expect(() => call(request)).toThrow(expect.objectContaining({ code: "input_invalid" }));
  expect(personal).not.toHaveBeenCalled();
});
