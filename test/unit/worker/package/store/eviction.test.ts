// Which packages go when room is needed: never a pinned one or the one to fall back to, and no more than it takes.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InsituError } from "../../../../../src/shared/errors.js";
import { bytesOf, evictable, victims } from "../../../../../src/worker/package/store/eviction.js";
import type { NewRow, PackageRow } from "../../../../../src/worker/package/store/store.js";
import { refusal } from "../../../../support/manifests.js";

/** Chunks `a10` have 10 bytes; the hash is the name. */
const chunk = (name: string) => ({ sha256: name, size: Number(/\d+$/.exec(name)?.[0]) });

function row(url: string, names: string[], changes: Partial<PackageRow> = {}): PackageRow {
  const chunks = names.map(chunk);
  const bytes = chunks.reduce((sum, { size }) => sum + size, 0);
  const { release = 1 } = changes;
  const digest = `${url}@${release}`;
  const fixed = { url, digest, name: url, version: "1.0.0", release, text: "", chunks, bytes };
  return { ...fixed, usedAt: 0, pinned: false, proved: true, ...changes };
}

const incoming = (url: string, names: string[]): NewRow => row(url, names, { release: 99 });
const urls = (rows: PackageRow[]) => rows.map(({ url }) => url);

describe("bytesOf", () => {
  it("counts a chunk that packages share, or that one has twice, once", () => {
    expect(bytesOf([])).toBe(0);
    expect(bytesOf([row("a", ["x10", "y5", "x10"]), row("b", ["x10", "z1"])])).toBe(16);
  });
});

describe("victims", () => {
  it("are none while everything fits, to the byte", () => {
    expect(victims([row("a", ["a40"])], incoming("b", ["b60"]), 100)).toEqual([]);
  });

  it("are those that were not used for the longest time, and no more than needed", () => {
    const rows = [row("a", ["a30"], { usedAt: 3 }), row("b", ["b30"], { usedAt: 1 }), row("c", ["c30"], { usedAt: 2 })];
    expect(urls(victims(rows, incoming("d", ["d40"]), 100))).toEqual(["b"]);
    expect(urls(victims(rows, incoming("d", ["d41"]), 100))).toEqual(["b", "c"]);
    expect(urls(victims(rows, incoming("d", ["d99"]), 100))).toEqual(["b", "c", "a"]);
  });

  it("are not needed for what the new package shares with the others", () => {
    expect(victims([row("a", ["x90"])], incoming("b", ["x90", "b10"]), 100)).toEqual([]);
  });

  it("are no pinned packages", () => {
    const rows = [row("a", ["a50"], { pinned: true, usedAt: 1 }), row("b", ["b50"], { usedAt: 2 })];
    expect(urls(victims(rows, incoming("c", ["c50"]), 100))).toEqual(["b"]);
  });

  it("are no versions that ran while a newer one of the same address has not yet", () => {
    const good = row("a", ["a30"], { release: 1, usedAt: 1 });
    const untried = row("a", ["a31"], { release: 2, usedAt: 2, proved: false });
    expect(victims([good, untried], incoming("b", ["b69"]), 100)).toEqual([untried]);
    // Once the newer one ran, the older may go.
    const ran = { ...untried, proved: true };
    expect(victims([good, ran], incoming("b", ["b69"]), 100)).toEqual([good]);
  });

  it("are no versions of the package that is loading: they go when the new one ran", () => {
    const before = row("a", ["a90"], { release: 1 });
    expect(victims([before], incoming("a", ["b90"]), 100)).toEqual([]);
    expect(evictable([before, row("b", ["b1"])], "a").map(({ url }) => url)).toEqual(["b"]);
  });

  it("do not help a package that is larger than the budget: storage_quota says how much is needed", () => {
    const error = refusal(() => victims([row("a", ["a10"])], incoming("b", ["b101"]), 100));
    expect(error).toMatchObject({ code: "storage_quota", data: { url: "b", bytes: 101, needed: 101, maxBytes: 100 } });
  });

  it("do not help when the rest is pinned", () => {
    const pinned = row("a", ["a50"], { pinned: true });
    const error = refusal(() => victims([pinned, row("c", ["c50"])], incoming("b", ["b51"]), 100));
    expect(error).toMatchObject({ code: "storage_quota", data: { needed: 101 } });
  });
});

describe("any store", () => {
  const names = fc.uniqueArray(fc.constantFrom(...["a1", "b2", "c3", "d5", "e8", "f13", "g21", "h34"]), {
    minLength: 1,
  });
  const rows = fc
    .array(
      fc.record({
        url: fc.constantFrom("p", "q", "r", "s"),
        release: fc.integer({ min: 1, max: 4 }),
        names,
        usedAt: fc.nat(20),
        pinned: fc.boolean(),
        proved: fc.boolean(),
      }),
      { maxLength: 8 },
    )
    .map((items) => items.map(({ url, names: list, ...rest }) => row(url, list, rest)));
  const coming = fc
    .record({ url: fc.constantFrom("p", "q", "t"), names })
    .map((item) => incoming(item.url, item.names));

  it("fits the budget afterwards, or storage_quota is thrown because nothing could make it fit", () => {
    fc.assert(
      fc.property(rows, coming, fc.nat(100), (stored, next, budget) => {
        const others = stored.filter(({ url }) => url !== next.url);
        try {
          const gone = victims(stored, next, budget);
          const left = others.filter((other) => !gone.includes(other));
          expect(bytesOf([...left, next])).toBeLessThanOrEqual(budget);
          // No more than it takes: without the last victim it would not fit.
          const last = gone.at(-1);
          if (last) expect(bytesOf([...left, last, next])).toBeGreaterThan(budget);
        } catch (error) {
          if (!(error instanceof InsituError)) throw error;
          expect(error.code).toBe("storage_quota");
          const may = evictable(stored, next.url);
          expect(bytesOf([...others.filter((other) => !may.includes(other)), next])).toBeGreaterThan(budget);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("never loses a pinned package, one to fall back to, or one that is loading; the oldest goes first", () => {
    fc.assert(
      fc.property(rows, coming, (stored, next) => {
        const before = structuredClone(stored);
        const may = evictable(stored, next.url);
        for (const gone of may) {
          expect(gone.pinned).toBe(false);
          expect(gone.url).not.toBe(next.url);
          const newer = stored.filter((other) => other.url === gone.url && other.release > gone.release);
          if (gone.proved) expect(newer.every(({ proved }) => proved)).toBe(true);
        }
        expect(may.map(({ usedAt }) => usedAt)).toEqual(may.map(({ usedAt }) => usedAt).sort((a, b) => a - b));
        expect(stored).toEqual(before);
      }),
      { numRuns: 1000 },
    );
  });
});
