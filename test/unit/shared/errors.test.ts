// Errors cross the wall whole: name, code, data, stack and the chain of causes.
import { expect, test } from "vitest";
import { asInsituError, fromWire, InsituError, isInsituError, toWire } from "../../../src/shared/errors.js";

const cross = (error: unknown) => fromWire(structuredClone(toWire(error)));

test("an error keeps its name, code, data, stack and causes", () => {
  const cause = new TypeError("socket closed", { cause: new InsituError("timeout", "too late", { ms: 5 }) });
  const error = new InsituError("network", "Could not fetch x", { url: "x", tries: [1, 2] }, { cause });
  const arrived = cross(error) as InsituError;
  expect(arrived).toBeInstanceOf(InsituError);
  expect(arrived).toMatchObject({
    name: "InsituError",
    code: "network",
    message: "Could not fetch x",
    data: { url: "x", tries: [1, 2] },
  });
  expect(arrived.stack).toBe(error.stack);
  const arrivedCause = arrived.cause as Error;
  expect(arrivedCause).toMatchObject({ name: "TypeError", message: "socket closed" });
  expect(arrivedCause.cause).toMatchObject({ code: "timeout", data: { ms: 5 } });
});

test("an aborted call's error passes for an AbortError, and is ours nevertheless", () => {
  const reason = new Error("the caller left");
  const arrived = cross(new InsituError("aborted", "x", {}, { cause: reason }));
  expect(arrived).toMatchObject({ name: "AbortError", code: "aborted", cause: { message: "the caller left" } });
  expect(isInsituError(arrived)).toBe(true);
  expect(isInsituError(new DOMException("x", "AbortError"))).toBe(false);
});

test("data that cannot be cloned does not hide the error", () => {
  const error = new InsituError("unknown", "x", { url: "u", retry: () => undefined });
  expect(cross(error)).toMatchObject({ code: "unknown", data: { url: "u" } });
});

test("a chain of causes that loops ends", () => {
  const error = new Error("a");
  error.cause = error;
  let depth = 0;
  for (let next: unknown = cross(error); next instanceof Error; next = next.cause) depth += 1;
  expect(depth).toBeLessThan(20);
});

test("what is thrown and is no error still arrives as one", () => {
  expect(cross("just text")).toMatchObject({ message: "just text" });
  expect(cross(undefined)).toBeInstanceOf(Error);
});

test("our errors are known across realms, others are wrapped", () => {
  const foreign = Object.assign(new Error("x"), { name: "InsituError", code: "network" });
  expect(isInsituError(foreign)).toBe(true);
  expect(isInsituError(new Error("x"))).toBe(false);
  const own = new InsituError("timeout", "t");
  expect(asInsituError(own, "network", "w")).toBe(own);
  const wrapped = asInsituError(new Error("inner"), "network", "Fetching", { url: "u" });
  expect(wrapped).toMatchObject({
    code: "network",
    message: "Fetching: inner",
    data: { url: "u" },
    cause: { message: "inner" },
  });
});
