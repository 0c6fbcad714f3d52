// Hosts that lie, flood or stand still: each ends in a typed error, after few requests and few bytes.
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it, vi } from "vitest";
import { IDLE_MS, request } from "../../../../../src/worker/package/download/http.js";
import { withRequest } from "../../../../../src/worker/package/download/with-request.js";
import { type Answering, type ByteHost, serve, startHost } from "../../../../support/byte-host.js";
import { evenly } from "../../../../support/chunked.js";
import { counting, flood } from "../../../../support/flood.js";
import { eagerPorts } from "../../../../support/ports.js";
import { hashesOf, transfer } from "../../../../support/transfer.js";

const MEGA = 2 ** 20;
const SIGNAL = new AbortController().signal;
const file = evenly(8, 1000);

let host: ByteHost;
afterEach(async () => {
  vi.useRealTimers();
  await host.close();
});

const start = async (answer: Answering) => {
  host = await startHost(answer);
  return `${host.url}a.bin`;
};

describe("a body that is too long", () => {
  it("by far once it is inflated (a gzip bomb) is cut off where the manifest says that the file ends", async () => {
    const bomb = gzipSync(new Uint8Array(256 * MEGA));
    const url = await start((_req, res) =>
      res.writeHead(200, { "Content-Encoding": "gzip", "Content-Length": bomb.length }).end(bomb),
    );
    const { taken, ports } = counting();
    const { error, got } = await transfer([{ url, file }], { ports });
    expect(error).toMatchObject({ code: "model_integrity" });
    expect(got).toEqual([]);
    expect(host.requests).toHaveLength(2);
    expect(taken.bytes).toBeLessThan(MEGA);
  });

  it("and inflates to the right bytes first is cut off too", async () => {
    const right = new Uint8Array(64 * MEGA);
    right.set(file.bytes);
    const bomb = gzipSync(right);
    const url = await start((_req, res) => res.writeHead(200, { "Content-Encoding": "gzip" }).end(bomb));
    const { taken, ports } = counting();
    const { error, counted } = await transfer([{ url, file }], { ports });
    // Every byte that the manifest names came, and is verified: what follows it is nobody's.
    expect(error).toBeUndefined();
    expect(counted).toBe(8000);
    expect(taken.bytes).toBeLessThan(2 * MEGA);
  });

  it("without an end is cut off, and the host notices", async () => {
    const url = await start(flood);
    const { taken, ports } = counting();
    expect((await transfer([{ url, file }], { ports })).error).toMatchObject({ code: "model_integrity" });
    await vi.waitFor(() => expect(host.closed).toBe(host.requests.length));
    expect(host.requests).toHaveLength(2);
    expect(taken.bytes).toBeLessThan(MEGA);
    // What the two sockets hold in their buffers is the operating system's choice.
    expect(host.sent()).toBeLessThan(32 * MEGA);
  });

  it("by one byte is taken up to the file's end", async () => {
    const url = await start((_req, res) => {
      res.writeHead(200, { "Content-Length": 8001 });
      res.write(file.bytes);
      res.end("x");
    });
    const { error, got, counted } = await transfer([{ url, file }]);
    expect(error).toBeUndefined();
    expect(got).toEqual(hashesOf(file));
    expect(counted).toBe(8000);
  });
});

describe("a body that is too short", () => {
  it("without anything that says so goes on behind the last whole chunk, and ends typed when it stays short", async () => {
    const url = await start((req, res) => {
      const from = Number(/\d+/.exec(req.headers.range ?? "0")?.[0]);
      const [status, range] = from > 0 ? [206, { "Content-Range": `bytes ${from}-7999/8000` }] : [200, {}];
      // No length and no chunked encoding: the body ends where the connection does.
      res.useChunkedEncodingByDefault = false;
      res.writeHead(status as number, { Connection: "close", ...(range as object) });
      res.end(file.bytes.subarray(from, 5_500));
    });
    const { error, got, counted } = await transfer([{ url, file }]);
    expect(error).toMatchObject({ code: "model_integrity", data: { expected: 8000, received: 5500 } });
    expect(got).toEqual(hashesOf(file, [0, 1, 2, 3, 4]));
    expect(counted).toBe(5_000);
    expect(host.requests.map(({ range }) => range)).toEqual(["bytes=0-3999", "bytes=5000-7999"]);
  });

  it("is the start page of a site that has one for every path, and the message says so", async () => {
    const page = "<!doctype html><title>shop</title>";
    const url = await start((_req, res) => res.writeHead(200, { "Content-Type": "text/html" }).end(page));
    const { error } = await transfer([{ url, file }]);
    expect(error).toMatchObject({ code: "model_integrity" });
    expect(error?.message).toContain("HTML page");
    expect(host.requests).toHaveLength(2);
  });

  it("is that of a file which ends before the part (416)", async () => {
    const url = await start((req, res, count) =>
      serve(req, res, count === 0 ? file.bytes : file.bytes.subarray(0, 4000)),
    );
    const { error, got } = await transfer([{ url, file }]);
    expect(error).toMatchObject({ code: "model_integrity", data: { url, expected: 8000, received: 4000 } });
    expect(got).toEqual(hashesOf(file, [0, 1, 2, 3]));
  });
});

describe("a part that is none", () => {
  const part = (range: string, body: Uint8Array = file.bytes.subarray(0, 4000)) =>
    start((_req, res) => res.writeHead(206, { "Content-Range": range, "Content-Length": body.length }).end(body));

  it.each([
    ["of a file of another size", "bytes 0-3999/123456789", { expected: 8000, received: 123456789 }],
    ["that begins behind what was asked for", "bytes 3000-7999/8000", { expected: 8000, received: 3000 }],
  ])("%s is refused before its body is read, and frees its connection", async (_what, range, data) => {
    const lie: Answering = (req, res, count) => {
      res.writeHead(206, { "Content-Range": range });
      flood(req, res, count);
    };
    const url = await start(lie);
    expect((await transfer([{ url, file }])).error).toMatchObject({ code: "model_integrity", data });
    // Also where the next answer is right, and nothing else ends the first.
    host.answer = (req, res, count) => (count === 2 ? lie(req, res, count) : serve(req, res, file.bytes));
    expect(await transfer([{ url, file }])).toMatchObject({ counted: 8000, error: undefined });
    await vi.waitFor(() => expect(host.closed).toBe(host.requests.length), { timeout: 3_000 });
  });

  it("that begins before what was asked for is taken from there", async () => {
    const url = await part("bytes 0-7999/8000", file.bytes);
    expect(await transfer([{ url, file, missing: [4, 5] }])).toMatchObject({ counted: 2000, error: undefined });
  });

  it("under the right range with the wrong bytes is refused by its hash", async () => {
    const url = await part("bytes 4000-5999/8000", file.bytes.subarray(0, 2000));
    expect((await transfer([{ url, file, missing: [4, 5] }])).error).toMatchObject({
      code: "model_integrity",
      data: { chunk: 4 },
    });
  });

  it("without a range, as other origins hide it, is taken as what was asked for", async () => {
    const url = await start((_req, res) => res.writeHead(206).end(file.bytes.subarray(4000, 6000)));
    expect(await transfer([{ url, file, missing: [4, 5] }])).toMatchObject({ counted: 2000, error: undefined });
  });
});

describe("a redirect", () => {
  const moved = (bytes: Uint8Array): Promise<string> =>
    start((req, res) => {
      if (req.url === "/a.bin") res.writeHead(302, { Location: "/b.bin" }).end();
      else serve(req, res, bytes);
    });

  it("is followed, and what comes is checked by its hash", async () => {
    const url = await moved(file.bytes);
    expect(await transfer([{ url, file }])).toMatchObject({ counted: 8000, error: undefined });
    await host.close();
    const other = await moved(new Uint8Array(8000));
    expect((await transfer([{ url: other, file }])).error).toMatchObject({ code: "model_integrity" });
  });

  it("without an end is given up as a network that failed", async () => {
    const url = await start((_req, res) => res.writeHead(302, { Location: "/a.bin" }).end());
    const { error } = await transfer([{ url, file }]);
    expect(error).toMatchObject({ code: "network", data: { url } });
    expect(error?.message).toContain("redirect");
  });

  it("is not followed with headers of the caller's own, and that is reported at once", async () => {
    const url = await moved(file.bytes);
    const ports = withRequest(eagerPorts, { headers: { Authorization: "Bearer secret" } });
    const { error } = await transfer([{ url, file }], { ports });
    expect(error).toMatchObject({ code: "input_invalid", data: { field: "request.headers" } });
    expect(JSON.stringify([error?.message, error?.data])).not.toContain("secret");
    // Two jobs for the file's two halves.
    expect(host.requests.length).toBeLessThanOrEqual(2);
    expect(host.requests.map(({ path }) => path)).not.toContain("/b.bin");
  });
});

describe("a host that stands still", () => {
  it("before or in its answer is given up after 15 s without a byte, once", async () => {
    for (const answer of [() => undefined, (_req, res) => res.writeHead(200).write("x")] satisfies Answering[]) {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      const url = await start(answer);
      const running = transfer([{ url, file }]);
      await vi.waitUntil(() => host.requests.length === 1);
      // The first byte needs real time to arrive; only then does the clock move.
      for (let turn = 0; turn < 200; turn += 1) await new Promise(setImmediate);
      await vi.advanceTimersByTimeAsync(IDLE_MS);
      expect((await running).error).toMatchObject({ code: "timeout", data: { url, idleMs: IDLE_MS } });
      expect(host.requests).toHaveLength(1);
      vi.useRealTimers();
      await host.close();
    }
  });

  it("is not what a slow reader makes of it", async () => {
    const url = await start((req, res) => serve(req, res, file.bytes));
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { body } = await request(url, { signal: SIGNAL }, eagerPorts);
    let received = 0;
    for await (const bytes of body) {
      received += bytes.length;
      await vi.advanceTimersByTimeAsync(2 * IDLE_MS);
    }
    expect(received).toBe(8000);
  });
});
