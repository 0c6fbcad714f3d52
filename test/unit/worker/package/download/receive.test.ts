// The body of an answer, cut anywhere, becomes exactly the wanted chunks; a wrong byte or a wrong length never passes.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { InsituError } from "../../../../../src/shared/errors.js";
import type { Body, HttpResponse } from "../../../../../src/worker/package/download/http.js";
import { type ChunkedFile, receive } from "../../../../../src/worker/package/download/receive.js";
import { type Cut, cut, randomBytes } from "../../../../support/chunked.js";

const URL = "https://host.example/m/a.bin";
const fileOf = ({ size, chunks, offsets }: Cut): ChunkedFile => ({ url: URL, size, chunks, offsets });

/** What the generator of a body saw of its reader. */
interface Seen {
  pulled: number;
  freed: boolean;
}

/** As a browser does that reads into the buffers that it is given: the caller's is detached, what comes is as long as fits. */
function fill(into: Uint8Array<ArrayBuffer>, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { byteOffset } = into;
  const length = Math.min(into.length, bytes.length);
  const moved = structuredClone(into.buffer, { transfer: [into.buffer] });
  const filled = new Uint8Array(moved, byteOffset, length);
  filled.set(bytes.subarray(0, length));
  return filled;
}

function answerOf(
  bytes: Uint8Array<ArrayBuffer>,
  pieces: number[],
  from = 0,
  fills = false,
): { answer: HttpResponse; body: Seen } {
  const body: Seen = { pulled: 0, freed: false };
  async function* pull(): Body {
    try {
      let into = yield new Uint8Array(0);
      for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
        const piece = bytes.slice(at, at + (pieces[turn % pieces.length] as number));
        const given = fills && into && into.length > 0 ? fill(into, piece) : piece;
        body.pulled += given.length;
        at += given.length;
        into = yield given;
      }
    } finally {
      body.freed = true;
    }
  }
  const begun = pull();
  // As `request` does.
  void begun.next();
  return { answer: { from, partial: from > 0, type: "", body: begun }, body };
}

interface Received {
  got: [index: number, bytes: number[]][];
  counted: number;
  error?: InsituError;
}

async function collect(answer: HttpResponse, file: ChunkedFile, wanted: number[]): Promise<Received> {
  const received: Received = { got: [], counted: 0 };
  const onBytes = (bytes: number) => {
    received.counted += bytes;
  };
  try {
    const onChunk = async (index: number, bytes: ArrayBuffer) =>
      void received.got.push([index, [...new Uint8Array(bytes)]]);
    await receive(answer, file, wanted, { onChunk, onBytes });
  } catch (error) {
    received.error = error as InsituError;
  }
  return received;
}

const expected = (file: Cut, wanted: number[]) => wanted.map((index) => [index, [...file.part(index)]]);
const sizesOf = (file: Cut, wanted: number[]) =>
  wanted.reduce((sum, index) => sum + (file.chunks[index]?.size ?? 0), 0);

/** A file, which of its chunks are wanted, and how its body is cut. */
const transfers = fc
  .record({
    sizes: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }),
    // A piece of no bytes is allowed in a stream, but some must come.
    pieces: fc.array(fc.nat(50), { minLength: 1, maxLength: 6 }).map((pieces) => [...pieces, 7]),
    choice: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
    seed: fc.nat(),
    start: fc.double({ min: 0, max: 1, noNaN: true }),
    point: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    // Whether the browser reads into buffers that it is given.
    fills: fc.boolean(),
  })
  .map(({ sizes, pieces, choice, seed, start, point, fills }) => {
    const size = sizes.reduce((sum, item) => sum + item, 0);
    const file = cut(randomBytes(size, seed), sizes);
    const some = sizes.map((_, index) => index).filter((index) => choice[index]);
    const wanted = some.length > 0 ? some : [sizes.length - 1];
    const first = file.offsets[wanted[0] as number] as number;
    const last = wanted.at(-1) as number;
    const end = (file.offsets[last] as number) + (sizes[last] as number);
    return { file, pieces, wanted, from: Math.floor(start * first), end, point, fills };
  });

describe("receive", () => {
  it("brings exactly the wanted chunks, however file and body are cut and wherever the body begins", async () => {
    await fc.assert(
      fc.asyncProperty(transfers, fc.boolean(), async ({ file, pieces, wanted, from, end, fills }, toEnd) => {
        // A range ends after the last wanted chunk, a whole answer goes on.
        const { answer, body } = answerOf(file.bytes.slice(from, toEnd ? file.size : end), pieces, from, fills);
        const { got, counted, error } = await collect(answer, fileOf(file), wanted);
        expect(error).toBeUndefined();
        expect(got).toEqual(expected(file, wanted));
        expect(counted).toBe(sizesOf(file, wanted));
        expect(body.freed).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("refuses a body that ends early, and keeps what was whole before", async () => {
    await fc.assert(
      fc.asyncProperty(transfers, async ({ file, pieces, wanted, from, end, point, fills }) => {
        const stop = from + Math.floor(point * (end - from));
        const { answer } = answerOf(file.bytes.slice(from, stop), pieces, from, fills);
        const { got, counted, error } = await collect(answer, fileOf(file), wanted);
        const whole = wanted.filter((index) => (file.offsets[index] ?? 0) + (file.chunks[index]?.size ?? 0) <= stop);
        expect(error).toMatchObject({
          code: "model_integrity",
          data: { url: URL, expected: file.size, received: stop },
        });
        expect(got).toEqual(expected(file, whole));
        expect(counted).toBe(sizesOf(file, whole));
      }),
      { numRuns: 500 },
    );
  });

  it("takes no byte more than the manifest says, when it was to bring the file's end", async () => {
    await fc.assert(
      fc.asyncProperty(
        transfers,
        fc.integer({ min: 1, max: 100 }),
        async ({ file, pieces, wanted, from, fills }, more) => {
          const all = [...new Set([...wanted, file.chunks.length - 1])];
          const long = new Uint8Array(file.size - from + more);
          long.set(file.bytes.subarray(from));
          const { answer, body } = answerOf(long, pieces, from, fills);
          const { got, counted, error } = await collect(answer, fileOf(file), all);
          expect(error).toBeUndefined();
          expect(got).toEqual(expected(file, all));
          expect(counted).toBe(sizesOf(file, all));
          expect(body.freed).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("refuses a wanted chunk with one altered bit, and does not care for what lies between", async () => {
    await fc.assert(
      fc.asyncProperty(
        transfers,
        fc.integer({ min: 0, max: 7 }),
        async ({ file, pieces, wanted, point, fills }, bit) => {
          const place = Math.floor(point * file.size);
          const hit = file.offsets.findLastIndex((offset) => offset <= place);
          const bytes = file.bytes.slice();
          bytes[place] = (bytes[place] as number) ^ (1 << bit);
          const { answer, body } = answerOf(bytes, pieces, 0, fills);
          const { got, counted, error } = await collect(answer, fileOf(file), wanted);
          const good = wanted.includes(hit) ? wanted.filter((index) => index < hit) : wanted;
          expect(got).toEqual(expected(file, good));
          expect(counted).toBe(sizesOf(file, good));
          expect(body.freed).toBe(true);
          if (wanted.includes(hit)) {
            const data = { url: URL, chunk: hit, expected: file.chunks[hit]?.sha256 };
            expect(error).toMatchObject({ code: "model_integrity", data });
            expect(error?.data.actual).toMatch(/^[0-9a-f]{64}$/);
          } else {
            expect(error).toBeUndefined();
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it("cuts an endless body off with the first piece after the manifest's size", async () => {
    const file = cut(randomBytes(1000), [400, 600]);
    let pulled = 0;
    async function* endless() {
      for (;;) {
        const piece = pulled < 1000 ? file.bytes.slice(pulled, pulled + 100) : new Uint8Array(100);
        pulled += piece.length;
        yield piece;
      }
    }
    const answer = { from: 0, partial: false, type: "", body: endless() };
    const { error, counted } = await collect(answer, fileOf(file), [0, 1]);
    expect(error).toBeUndefined();
    expect(pulled).toBe(1100);
    expect(pulled).toBe(1100);
    expect(counted).toBe(1000);
  });

  it("does not read on after the last wanted chunk of a file that goes on", async () => {
    const file = cut(randomBytes(1000), [100, 100, 800]);
    const { answer, body } = answerOf(file.bytes, [50]);
    await collect(answer, fileOf(file), [0, 1]);
    expect(body.pulled).toBe(200);
    expect(body.freed).toBe(true);
  });

  it("gives chunks buffers of their own, so that one can be handed to another thread", async () => {
    const file = cut(randomBytes(100), [50, 50]);
    const { answer } = answerOf(file.bytes, [100]);
    const buffers: ArrayBuffer[] = [];
    const onChunk = async (_index: number, bytes: ArrayBuffer) => {
      buffers.push(bytes);
      structuredClone(bytes, { transfer: [bytes] });
    };
    await receive(answer, fileOf(file), [0, 1], { onChunk });
    expect(buffers.map(({ byteLength }) => byteLength)).toEqual([0, 0]);
  });

  it("refuses an answer that begins behind the first wanted chunk, without reading it", async () => {
    const file = cut(randomBytes(100), [50, 50]);
    const { answer, body } = answerOf(file.bytes.slice(60), [10], 60);
    const { error, got } = await collect(answer, fileOf(file), [1]);
    expect(error).toMatchObject({ code: "model_integrity" });
    expect(got).toEqual([]);
    expect(body.pulled).toBe(0);
    expect((await answer.body.next()).done).toBe(true);
  });

  it("says that a short answer of HTML is the host's start page", async () => {
    const file = cut(randomBytes(100), [100]);
    const { answer } = answerOf(new Uint8Array(20), [20]);
    const page = { ...answer, type: "text/html; charset=utf-8" };
    expect((await collect(page, fileOf(file), [0])).error?.message).toContain("HTML page");
  });
});
