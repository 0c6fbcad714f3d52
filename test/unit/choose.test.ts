// Which backends are tried in which order, and what is told about the rest.
import { expect, test } from "vitest";
import { choose } from "../../src/runtime/choose.js";

const yes = { available: true } as const;

test("the caller's order stands among what is available", () => {
  const choice = choose([
    { backend: "wasm", ...yes },
    { backend: "webgpu", ...yes },
    { backend: "cpu", ...yes },
  ]);
  expect(choice).toEqual({ order: ["wasm", "webgpu", "cpu"], refused: [] });
});

test("what is not available is refused with its reason", () => {
  const choice = choose([
    { backend: "webgpu", available: false, reason: "no adapter" },
    { backend: "cpu", ...yes },
  ]);
  expect(choice).toEqual({ order: ["cpu"], refused: [{ backend: "webgpu", reason: "no adapter" }] });
});

test("a software GPU beats nothing, and runs only when it is all there is", () => {
  const software = {
    backend: "webgpu",
    ...yes,
    software: true,
    reason: "software adapter google swiftshader",
  } as const;
  expect(choose([software, { backend: "wasm", ...yes }]).order).toEqual(["wasm"]);
  expect(choose([software, { backend: "cpu", ...yes }]).refused[0]?.reason).toContain("slower than cpu");
  expect(choose([software, { backend: "wasm", available: false, reason: "policy" }])).toEqual({
    order: ["webgpu"],
    refused: [{ backend: "wasm", reason: "policy" }],
  });
});
