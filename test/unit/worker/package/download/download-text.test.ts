// Texts of unknown size, such as manifests: read whole and tried again, and cut off at their limit.
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it, vi } from "vitest";
import { downloadText } from "../../../../../src/worker/package/download/download-text.js";
import { MAX_MANIFEST_BYTES } from "../../../../../src/worker/package/manifest.js";
import { type Answering, type ByteHost, serve, startHost } from "../../../../support/byte-host.js";
import { failure } from "../../../../support/chunked.js";
import { counting, flood } from "../../../../support/flood.js";
import { eagerPorts } from "../../../../support/ports.js";

const MEGA = 2 ** 20;
const SIGNAL = new AbortController().signal;

let host: ByteHost;
afterEach(() => host.close());

const start = async (answer: Answering) => {
  host = await startHost(answer);
  return host.url;
};

describe("a text", () => {
  const read = (url: string) => downloadText(url, MAX_MANIFEST_BYTES, SIGNAL, eagerPorts);

  it("of exactly the most is read", async () => {
    const url = await start((_req, res) => res.end("é".repeat(MEGA / 2)));
    expect(await read(url)).toBe("é".repeat(MEGA / 2));
  });

  it("of a byte more is refused, once", async () => {
    const url = await start((_req, res) => res.end(`${"é".repeat(MEGA / 2)}x`));
    expect(await failure(read(url))).toMatchObject({ code: "model_too_large", data: { url, max: MEGA } });
    expect(host.requests).toHaveLength(1);
  });

  it("without an end, or a bomb, is cut off", async () => {
    const url = await start(flood);
    expect(await failure(read(url))).toMatchObject({ code: "model_too_large" });
    await vi.waitFor(() => expect(host.closed).toBe(1));
    const bomb = gzipSync(new Uint8Array(256 * MEGA));
    host.answer = (_req, res) => res.writeHead(200, { "Content-Encoding": "gzip" }).end(bomb);
    const { taken, ports } = counting();
    expect(await failure(downloadText(url, MAX_MANIFEST_BYTES, SIGNAL, ports))).toMatchObject({
      code: "model_too_large",
    });
    expect(taken.bytes).toBeLessThan(3 * MEGA);
  });

  it("whose connection breaks is read from its start again", async () => {
    const url = await start((req, res, count) =>
      serve(req, res, Buffer.from("hello"), count < 2 ? { cutAfter: 2 } : {}),
    );
    expect(await read(url)).toBe("hello");
    expect(host.requests).toHaveLength(3);
  });

  it("that is not there is an error at once", async () => {
    const url = await start((_req, res) => res.writeHead(404).end());
    expect(await failure(read(url))).toMatchObject({ code: "http_4xx", data: { url, status: 404 } });
    expect(host.requests).toHaveLength(1);
  });
});
