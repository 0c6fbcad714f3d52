// SHA-256 by the browser, and without crypto.subtle by code: the same digits.
import { createHash } from "node:crypto";
import { afterEach, expect, it, vi } from "vitest";
import { sha256 } from "../../../../src/worker/lib/sha256.js";

afterEach(() => vi.unstubAllGlobals());

it.each(["the browser", "code"])("by %s", async (by) => {
  if (by === "code") vi.stubGlobal("crypto", {});
  for (const size of [0, 1, 55, 56, 64, 1_000, 100_000]) {
    const bytes = Uint8Array.from({ length: size + 3 }, (_, index) => index * 7);
    // A view that does not begin where its buffer does.
    const part = bytes.subarray(3);
    const expected = createHash("sha256").update(part).digest("hex");
    expect(await sha256(part)).toBe(expected);
    expect(await sha256(part.slice().buffer)).toBe(expected);
  }
});
