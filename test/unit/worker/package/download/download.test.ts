// Downloads from a real host: in parts, several at once, and resumed where they broke off even when the file changes.
import { afterEach, describe, expect, it } from "vitest";
import { type Answering, type ByteHost, type Serving, serve, startHost } from "../../../../support/byte-host.js";
import { cut, evenly, randomBytes } from "../../../../support/chunked.js";
import { hashesOf, transfer } from "../../../../support/transfer.js";

let host: ByteHost;
afterEach(() => host.close());

const start = async (answer: Answering) => {
  host = await startHost(answer);
  return `${host.url}a.bin`;
};
const serving = (bytes: Uint8Array, how: Serving = {}) => start((req, res) => serve(req, res, bytes, how));
const ranges = () => host.requests.map(({ range }) => range);

describe("parts", () => {
  const file = evenly(10, 1000);

  it("bring a file in requests of four chunks, and each chunk once", async () => {
    const url = await serving(file.bytes);
    const { got, counted, error } = await transfer([{ url, file }]);
    expect(error).toBeUndefined();
    expect(got.sort()).toEqual(hashesOf(file).sort());
    expect(counted).toBe(10_000);
    expect(ranges()).toEqual(["bytes=0-3999", "bytes=4000-7999", "bytes=8000-9999"]);
  });

  it("are asked for only where chunks are missing", async () => {
    const url = await serving(file.bytes);
    const { got, counted } = await transfer([{ url, file, missing: [1, 2, 5, 9] }]);
    expect(got.sort()).toEqual(hashesOf(file, [1, 2, 5, 9]).sort());
    expect(counted).toBe(4000);
    expect(ranges()).toEqual(["bytes=1000-2999", "bytes=5000-5999", "bytes=9000-9999"]);
  });

  it("are not needed for a file that one request brings whole", async () => {
    const small = evenly(4, 1000);
    const url = await serving(small.bytes);
    expect((await transfer([{ url, file: small }])).got).toEqual(hashesOf(small));
    expect(ranges()).toEqual([undefined]);
  });

  it("of a host that keeps to no ranges come with the first request alone", async () => {
    const url = await serving(file.bytes, { ranges: false });
    const { got, counted, error } = await transfer([{ url, file, missing: [1, 2, 5, 7] }]);
    expect(error).toBeUndefined();
    expect(got).toEqual(hashesOf(file, [1, 2, 5, 7]));
    expect(counted).toBe(4000);
    expect(ranges()).toEqual(["bytes=1000-2999"]);
  });

  it("of no bytes are no request", async () => {
    const url = await serving(file.bytes);
    const empty = cut(randomBytes(0), [0]);
    expect((await transfer([{ url, file: empty }])).got).toEqual(hashesOf(empty));
    const wrong = { ...empty, chunks: [{ size: 0, sha256: "0".repeat(64) }] };
    expect((await transfer([{ url, file: wrong }])).error).toMatchObject({ code: "model_integrity" });
    expect(host.requests).toEqual([]);
  });

  it("keep four connections busy, never more, and use them again", async () => {
    const files = Array.from({ length: 12 }, (_, index) => evenly(4, 1000, index + 1));
    const url = await start((req, res) => {
      const bytes = files[Number(req.url?.slice(1))]?.bytes as Uint8Array;
      setTimeout(() => serve(req, res, bytes), 20);
    });
    const wanted = files.map((one, index) => ({ url: new URL(`/${index}`, url).href, file: one }));
    const { got, error } = await transfer(wanted);
    expect(error).toBeUndefined();
    expect(got).toHaveLength(48);
    expect(host.requests).toHaveLength(12);
    expect(host.mostAtOnce).toBe(4);
    expect(host.connections).toBe(4);
  });
});

describe("a connection that breaks", () => {
  const file = evenly(4, 10_000);

  it.each([0, 1, 9_999, 10_000, 25_000, 39_999])(
    "after %i bytes goes on at the last verified chunk",
    async (cutAfter) => {
      const url = await start((req, res, count) => serve(req, res, file.bytes, count === 0 ? { cutAfter } : {}));
      const { got, counted, error } = await transfer([{ url, file }]);
      expect(error).toBeUndefined();
      expect(got).toEqual(hashesOf(file));
      expect(counted).toBe(40_000);
      const kept = Math.floor(cutAfter / 10_000) * 10_000;
      expect(ranges()).toEqual([undefined, kept === 0 ? undefined : `bytes=${kept}-39999`]);
      expect(host.sent()).toBeLessThan(40_000 + cutAfter - kept + 2_000);
    },
  );

  it("before any answer does not cost the parts later on", async () => {
    const long = evenly(8, 10_000);
    const url = await start((req, res, count) => {
      if (count === 0) req.socket.destroy();
      else serve(req, res, long.bytes, count === 1 ? { cutAfter: 15_000 } : {});
    });
    expect(await transfer([{ url, file: long }])).toMatchObject({ counted: 80_000, error: undefined });
    // One request without a range, for browsers that may not ask for one across origins; the next is a part again.
    expect(ranges()).toEqual(["bytes=0-39999", undefined, "bytes=10000-79999"]);
  });

  it("again and again is no reason to stop while each request brings a chunk", async () => {
    const long = evenly(12, 5_000);
    const url = await start((req, res) => serve(req, res, long.bytes, { cutAfter: 5_500 }));
    const { got, counted, error } = await transfer([{ url, file: long }]);
    expect(error).toBeUndefined();
    expect(got.sort()).toEqual(hashesOf(long).sort());
    expect(counted).toBe(60_000);
  });

  it("without bringing a chunk four times is given up, and what came before stays", async () => {
    const url = await start((req, res, count) => serve(req, res, file.bytes, { cutAfter: count === 0 ? 12_000 : 100 }));
    const { got, counted, error } = await transfer([{ url, file }]);
    expect(error).toMatchObject({ code: "network" });
    expect(got).toEqual(hashesOf(file, [0]));
    expect(counted).toBe(10_000);
    // The first failure had brought something.
    expect(host.requests).toHaveLength(4);
  });
});

describe("a file that changes on its host", () => {
  const file = evenly(8, 1000);
  const other = evenly(8, 1000, 2);
  const broken = (etags: (count: number) => string, bytes: (count: number) => Uint8Array = () => file.bytes) =>
    start((req, res, count) =>
      serve(req, res, bytes(count), { etag: etags(count), cutAfter: count < 2 ? 1_500 : undefined }),
    );

  it("is asked for under its strong ETag", async () => {
    const url = await broken(() => '"v1"');
    expect(await transfer([{ url, file, missing: [0, 1, 2, 3] }])).toMatchObject({ counted: 4000, error: undefined });
    expect(host.requests.map(({ range, ifRange }) => [range, ifRange])).toEqual([
      ["bytes=0-3999", undefined],
      ["bytes=1000-3999", '"v1"'],
      ["bytes=2000-3999", '"v1"'],
    ]);
  });

  it("is asked for without a weak ETag, which promises nothing of its bytes", async () => {
    const url = await broken(() => 'W/"v1"');
    expect(await transfer([{ url, file, missing: [0, 1, 2, 3] }])).toMatchObject({ counted: 4000, error: undefined });
    expect(host.requests.map(({ ifRange }) => ifRange)).toEqual([undefined, undefined, undefined]);
  });

  it("in its ETag only comes whole from then on, and is taken", async () => {
    const url = await broken((count) => `"v${count}"`);
    const { got, counted, error } = await transfer([{ url, file, missing: [0, 1, 2, 3] }]);
    expect(error).toBeUndefined();
    expect(got).toEqual(hashesOf(file, [0, 1, 2, 3]));
    expect(counted).toBe(4000);
  });

  it("in its ETag with each request, as behind a load balancer, is not fetched whole each time", async () => {
    const long = evenly(80, 1000);
    const url = await start((req, res, count) => serve(req, res, long.bytes, { etag: `"v${count}"` }));
    expect(await transfer([{ url, file: long }])).toMatchObject({ counted: 80_000, error: undefined });
    // Those that were under way when the first came whole; twenty requests in all.
    expect(host.requests.filter(({ ifRange }) => ifRange).length).toBeLessThanOrEqual(4);
    expect(host.requests).toHaveLength(20);
  });

  it("in its bytes is refused, in a bounded number of requests", async () => {
    const url = await broken(
      (count) => (count === 0 ? '"v1"' : '"v2"'),
      (count) => (count === 0 ? file.bytes : other.bytes),
    );
    const { got, counted, error } = await transfer([{ url, file, missing: [0, 1, 2, 3] }]);
    expect(error).toMatchObject({ code: "model_integrity", data: { chunk: 1 } });
    expect(got).toEqual(hashesOf(file, [0]));
    expect(counted).toBe(1000);
    expect(host.requests.length).toBeLessThanOrEqual(5);
  });

  it("is found altered once on its way, and right the second time", async () => {
    const url = await start((req, res, count) => serve(req, res, count === 0 ? other.bytes : file.bytes));
    expect(await transfer([{ url, file, missing: [3] }])).toMatchObject({ counted: 1000, error: undefined });
    expect(host.requests).toHaveLength(2);
  });
});
