// Bounds how many responses are read at the same time, and how long a reader may take: a response that nobody reads stays in memory.
import type { FastifyReply, FastifyRequest } from "fastify";
import { HttpError } from "./errors.js";
import { senderOf } from "./proxies.js";
import { createSenderTally } from "./sender-tally.js";

const MAX_READERS = 32;
// Prometheus must get its turn whatever a stranger does.
const MAX_READERS_OF_SENDER = 8;
// 10 MB through a slow line; Prometheus gives up after 10 s by default.
const READ_TIMEOUT_MS = 30_000;
const RETRY_MS = 1_000;

/** A hook `onRequest` that rejects with `HttpError` 503. */
export function createReaderLimit() {
  const readers = createSenderTally();
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const sender = senderOf(request.ip);
    if (readers.all() >= MAX_READERS || readers.of(sender) >= MAX_READERS_OF_SENDER)
      throw new HttpError(503, "Too many requests that read are open; try again later.", { retryMs: RETRY_MS });
    readers.add(sender);
    const timer = setTimeout(() => reply.raw.destroy(), READ_TIMEOUT_MS).unref();
    reply.raw.once("close", () => {
      clearTimeout(timer);
      readers.remove(sender);
    });
  };
}
