// The routes of channel files, as a Fastify plugin: public to read, conditional to publish, with their history.
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from "fastify";
import type { Access } from "../access.js";
import { readText } from "../body.js";
import { guard, limitByAddress } from "../caller.js";
import { MAX_MANIFEST_BYTES } from "../drift/profile.js";
import { HttpError, unavailable } from "../errors.js";
import type { OwnCounts } from "../own-metrics.js";
import type { RateLimit } from "../rate-limit.js";
import { MAX_CHANNEL_BYTES } from "./channel-file.js";
import { matches } from "./channels.js";
import { modelOf } from "./model-name.js";
import type { Rollouts } from "./rollouts.js";

export interface ChannelRoutesDeps {
  rollouts: Rollouts;
  access: Access;
  counts: OwnCounts;
  limits: { read: RateLimit; channel: RateLimit };
  /** The hooks of requests that read. */
  read: onRequestAsyncHookHandler[];
}

interface ModelRoute {
  Params: { model: string };
}

/** A page polls every five minutes; a rollback must not wait much longer than that in caches. */
const CACHE = "public, max-age=30";
const MAX_NOTE_CHARS = 500;

/** Any page may read it: it is as public as the packages that it names. */
const CORS = { "access-control-allow-origin": "*", "access-control-expose-headers": "etag" } as const;
const PREFLIGHT = {
  ...CORS,
  "access-control-allow-methods": "GET",
  "access-control-allow-headers": "if-none-match",
  "access-control-max-age": "600",
} as const;

export async function channelRoutes(app: FastifyInstance, deps: ChannelRoutesDeps): Promise<void> {
  const { rollouts, access, counts, limits, read } = deps;
  const onLimited = () => {
    counts.limited += 1;
  };
  const operator = [limitByAddress(limits.read, onLimited), guard((caller) => access.operate(caller))];
  const limited = { onRequest: limitByAddress(limits.channel, onLimited) };
  app.get<ModelRoute>("/v1/channels/:model", limited, async (request, reply) => serve(rollouts, request, reply));
  // Of a page that asks with `if-none-match` of its own. Not by @fastify/cors: it answers preflights of a server in one way only.
  app.options("/v1/channels/:model", limited, async (_request, reply) => reply.headers(PREFLIGHT).code(204).send());
  acceptText(app);
  app.put<ModelRoute>(
    "/v1/channels/:model",
    { onRequest: operator, bodyLimit: MAX_CHANNEL_BYTES },
    async (request, reply) => {
      const publication = {
        model: modelOf(request.params.model),
        body: await textOf(request, MAX_CHANNEL_BYTES),
        ifMatch: request.headers["if-match"],
        ifNoneMatch: request.headers["if-none-match"],
        unsigned: request.headers["x-insitu-unsigned"] === "yes",
        by: note(request, "x-insitu-by"),
        why: note(request, "x-insitu-why"),
      };
      const published = await rollouts.channels.publish(publication).catch(unavailable);
      return reply.header("etag", published.etag).send({ release: published.release, etag: published.etag });
    },
  );
  app.get<ModelRoute>("/v1/channels/:model/history", { onRequest: read }, async ({ params }) =>
    rollouts.channels.history(modelOf(params.model)).catch(unavailable),
  );
  app.put<ModelRoute>(
    "/v1/channels/:model/reference",
    { onRequest: operator, bodyLimit: MAX_MANIFEST_BYTES },
    async (request) => {
      const name = modelOf(request.params.model);
      const { model, version, samples } = await rollouts.profiles
        .upload(await textOf(request, MAX_MANIFEST_BYTES), name, rollouts.now())
        .catch(unavailable);
      return { model, version, samples };
    },
  );
}

async function serve(rollouts: Rollouts, request: FastifyRequest<ModelRoute>, reply: FastifyReply) {
  // Also of errors: a page could not read them otherwise.
  reply.headers(CORS);
  const name = modelOf(request.params.model);
  // `client.load` takes an address for a channel by its ending.
  const channel = rollouts.channels.newest(name) ?? rollouts.channels.newest(name.replace(/\.json$/, ""));
  if (!channel) throw new HttpError(404, `There is no channel of the model "${name}".`);
  reply.headers({ etag: channel.etag, "cache-control": CACHE });
  const known = request.headers["if-none-match"];
  if (known !== undefined && matches(known, channel.etag)) return reply.code(304).send();
  return reply.type("application/json; charset=utf-8").send(Buffer.from(channel.body));
}

/** Whatever its type: it is served as it is sent. */
function acceptText(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, async (_request: FastifyRequest, body: Buffer) => body);
}

const textOf = ({ body, headers }: FastifyRequest, max: number) =>
  readText((body as Buffer | undefined) ?? Buffer.alloc(0), headers["content-encoding"], max);

/** Who and why, in percent-encoding where it is not ASCII. */
function note({ headers }: FastifyRequest, name: string): string {
  const value = headers[name];
  const text = typeof value === "string" ? value : "";
  try {
    return decodeURIComponent(text).toWellFormed().replaceAll("\0", "").slice(0, MAX_NOTE_CHARS);
  } catch {
    return text.slice(0, MAX_NOTE_CHARS);
  }
}
