// Receives the collector's webhook: checks its signature, answers at once, and starts one run at a time, each id once.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

/** What the collector sends. */
export interface RetrainRequest {
  id: string;
  model: string;
  version: string;
  trigger: string;
  evidence: Record<string, unknown>;
  at: string;
}

const MAX_BYTES = 256 * 1024;

/** Whether `header` is the signature of the body. In constant time: a wrong one must not be found digit by digit. */
function isSigned(body: string, header: unknown, secret: string): boolean {
  const expected = Buffer.from(`sha256=${createHmac("sha256", secret).update(body).digest("hex")}`);
  const given = Buffer.from(typeof header === "string" ? header : "");
  return given.length === expected.length && timingSafeEqual(given, expected);
}

export interface ReceiverOptions {
  secret: string;
  model: string;
  /** Starts a run; while one runs the collector starts no other. */
  start: (request: RetrainRequest) => void;
}

/** `POST` to any path. 202: taken. 401: not signed with the secret. 400: nothing that this pipeline can do. */
export function createReceiver({ secret, model, start }: ReceiverOptions): Server {
  const known = new Set<string>();
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const answer = (status: number, text: string) => void response.writeHead(status).end(`${text}\n`);
    if (request.method !== "POST") return answer(405, "POST the collector's webhook here.");
    const body = await readBody(request);
    if (body === undefined) return answer(413, "The body is too large.");
    if (!isSigned(body, request.headers["x-insitu-signature"], secret))
      return answer(401, "The signature is not of this pipeline's secret.");
    const given = parse(body);
    if (!given || given.model !== model) return answer(400, `This pipeline retrains ${model}.`);
    // The collector sends again what it does not know to have arrived.
    if (!known.has(given.id)) {
      known.add(given.id);
      start(given);
    }
    answer(202, "Taken.");
  };
  return createServer((request, response) => void handle(request, response).catch(() => response.destroy()));
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    // Read to its end, so that the sender gets the answer; what is endless is cut.
    if (size <= MAX_BYTES) parts.push(part);
    else if (size > 4 * MAX_BYTES) throw new Error("The body has no end.");
  }
  return size > MAX_BYTES ? undefined : Buffer.concat(parts).toString("utf8");
}

function parse(body: string): RetrainRequest | undefined {
  try {
    const given = JSON.parse(body) as RetrainRequest;
    return /^[0-9a-f]{32}$/.test(given?.id) ? given : undefined;
  } catch {
    return undefined;
  }
}
