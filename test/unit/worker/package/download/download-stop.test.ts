// What ends a download early, and what does not: callers who leave, takers that fail, hosts that are busy or strict.
import { afterEach, describe, expect, it, vi } from "vitest";
import { browserPlatform } from "../../../../../src/worker/package/platform.js";
import { type Answering, type ByteHost, serve, startHost } from "../../../../support/byte-host.js";
import { evenly } from "../../../../support/chunked.js";
import { eagerPorts } from "../../../../support/ports.js";
import { transfer } from "../../../../support/transfer.js";

let host: ByteHost;
afterEach(() => host.close());

const start = async (answer: Answering) => {
  host = await startHost(answer);
  return `${host.url}a.bin`;
};

describe("what stops a download", () => {
  const files = Array.from({ length: 4 }, (_, index) => evenly(4, 1000, index + 1));
  const wanted = () => files.map((file, index) => ({ url: `${host.url}${index}`, file }));
  /** Sends the first half of each file and then nothing. */
  const halfway: Answering = (req, res) => {
    res.writeHead(200, { "Content-Length": 4000 });
    res.write(files[Number(req.url?.slice(1))]?.bytes.subarray(0, 2_500));
  };

  it("is the caller, and the host sees all connections close", async () => {
    await start(halfway);
    const stop = new AbortController();
    const running = transfer(wanted(), { signal: stop.signal });
    await vi.waitFor(() => expect(host.requests).toHaveLength(4));
    setTimeout(() => stop.abort(), 50);
    const { error, got, counted } = await running;
    expect(error).toMatchObject({ code: "aborted" });
    expect(counted).toBe(got.length * 1000);
    await vi.waitFor(() => expect(host.closed).toBe(4));
    expect(host.requests).toHaveLength(4);
  });

  it("is the caller before it began", async () => {
    await start(halfway);
    expect((await transfer(wanted(), { signal: AbortSignal.abort() })).error).toMatchObject({ code: "aborted" });
    expect(host.requests).toHaveLength(0);
  });

  it("is whoever takes the chunks: its error comes out, and the other requests end", async () => {
    await start(halfway);
    let taken = 0;
    const onChunk = async () => {
      taken += 1;
      if (taken === 5) throw new RangeError("no room");
    };
    const { error } = await transfer(wanted(), { onChunk });
    expect(error).toBeInstanceOf(RangeError);
    await vi.waitFor(() => expect(host.closed).toBe(4));
    expect(host.requests).toHaveLength(4);
  });

  it("is the first request that fails for good, while others are under way or wait", async () => {
    await start((req, res, count) => {
      if (req.url === "/1") res.writeHead(404).end();
      else halfway(req, res, count);
    });
    const { error } = await transfer(wanted());
    expect(error).toMatchObject({ code: "http_4xx", data: { status: 404, url: `${host.url}1` } });
    await vi.waitFor(() => expect(host.closed).toBe(host.requests.length));
    expect(host.requests.length).toBeLessThanOrEqual(4);
  });

  it("is the failure of a file's first request for all that wait for it", async () => {
    const url = await start((_req, res) => res.writeHead(403).end());
    expect((await transfer([{ url, file: evenly(40, 100) }])).error).toMatchObject({ data: { status: 403 } });
    expect(host.requests).toHaveLength(1);
  });
});

describe("a host with trouble", () => {
  it("of 503 alone is given up after four tries a connection", async () => {
    const url = await start((_req, res) => res.writeHead(503).end());
    expect((await transfer([{ url, file: evenly(12, 1000) }])).error).toMatchObject({
      code: "http_5xx",
      data: { status: 503, url },
    });
    expect(host.requests).toHaveLength(4);
  });

  it("that asks one request to wait hears of none of the others meanwhile", async () => {
    const file = evenly(16, 1000);
    let busyAt = 0;
    const url = await start((req, res, count) => {
      if (count === 1) {
        busyAt = performance.now();
        res.writeHead(429, { "Retry-After": "1" }).end();
      } else {
        serve(req, res, file.bytes, count > 1 && busyAt > performance.now() - 500 ? { cutAfter: 10 } : {});
      }
    });
    expect(await transfer([{ url, file }], { ports: browserPlatform })).toMatchObject({
      counted: 16_000,
      error: undefined,
    });
    // Requests two to four leave together; what breaks among them waits for the second.
    const later = host.requests.slice(4).map(({ at }) => at - busyAt);
    expect(later.length).toBeGreaterThan(0);
    expect(Math.min(...later)).toBeGreaterThan(980);
  });

  it("that allows no If-Range across origins is asked without it", async () => {
    const file = evenly(8, 1000);
    const url = await start((req, res, count) =>
      serve(req, res, file.bytes, { etag: '"v1"', cutAfter: count === 0 ? 1_500 : undefined }),
    );
    // As a browser that may not send the header: the request fails before it leaves.
    const ports = {
      ...eagerPorts,
      fetch: (to: string, init: RequestInit) =>
        new Headers(init.headers).has("if-range") ? Promise.reject(new TypeError("Failed to fetch")) : fetch(to, init),
    };
    expect(await transfer([{ url, file }], { ports })).toMatchObject({ counted: 8000, error: undefined });
    expect(host.requests.map(({ range }) => range)).toContain("bytes=1000-3999");
  });
});
