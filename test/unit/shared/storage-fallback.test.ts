// A store that fails is tried again, and given up for good; errors that are not the store's pass through.
import { expect, it, vi } from "vitest";
import { InsituError } from "../../../src/shared/errors.js";
import { createFallback } from "../../../src/shared/storage-fallback.js";

const unavailable = (final = false) => new InsituError("storage_unavailable", "the connection was lost", { final });

/** Fails `times` times with `error`; says which of the two stores answered. */
function failing(times: number, error: Error) {
  let calls = 0;
  return (store: string) => {
    if (store === "memory") return Promise.resolve(store);
    calls += 1;
    return calls <= times ? Promise.reject(error) : Promise.resolve(store);
  };
}

it("tries again, and stays with the store that heals", async () => {
  const { use, problem } = createFallback("database", "memory", { tries: 3 });
  expect(await use(failing(2, unavailable()))).toBe("database");
  expect(problem()).toBeUndefined();
});

it.each([
  ["after the last try", 3, false],
  ["at once where another try would end the same", 1, true],
])("gives the store up %s, for good, and says so once", async (_when, times, final) => {
  const onFallback = vi.fn();
  const { use, problem } = createFallback("database", "memory", { tries: 3, onFallback });
  const error = unavailable(final);
  const twice = [use(failing(times, error)), use(failing(times, error))];
  expect(await Promise.all(twice)).toEqual(["memory", "memory"]);
  expect(problem()).toBe(error);
  expect(await use(failing(0, error))).toBe("memory");
  expect(onFallback).toHaveBeenCalledExactlyOnceWith(error);
});

it("does not try again, or fall back, for any other error", async () => {
  const { use, problem } = createFallback("database", "memory", { tries: 3 });
  for (const error of [new InsituError("storage_quota", "full"), new TypeError("a defect")])
    await expect(use(failing(1, error))).rejects.toBe(error);
  expect(problem()).toBeUndefined();
});

it("keeps a store that may not be replaced", async () => {
  const { use, problem } = createFallback("database", "memory", { tries: 3, mayFallBack: () => false });
  await expect(use(failing(3, unavailable()))).rejects.toMatchObject({ code: "storage_unavailable" });
  expect(problem()).toBeUndefined();
  expect(await use(failing(0, unavailable()))).toBe("database");
});
