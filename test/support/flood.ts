// A host that never stops sending, and a count of the bytes that were read.
import type { Platform } from "../../src/worker/package/platform.js";
import type { Answering } from "./byte-host.js";
import { eagerPorts } from "./ports.js";

/** Writes as fast as the other side takes it, until that closes. */
export const flood: Answering = (_req, res) => {
  const piece = new Uint8Array(64 * 1024);
  const write = () => {
    while (!res.destroyed && res.write(piece));
    res.once("drain", write);
  };
  write();
};

/** Counts the decoded bytes that are read from responses. */
export function counting(): { taken: { bytes: number }; ports: Platform } {
  const taken = { bytes: 0 };
  const fetchCounted = async (url: string, init: RequestInit) => {
    const response = await fetch(url, init);
    const count = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(piece, controller) {
        taken.bytes += piece.length;
        controller.enqueue(piece);
      },
    });
    const { status, headers } = response;
    return new Response(response.body?.pipeThrough(count), { status, headers });
  };
  return { taken, ports: { ...eagerPorts, fetch: fetchCounted } };
}
