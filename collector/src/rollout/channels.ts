// The channel files that the collector serves: the newest of each model, and every change with who made it and why.
import { createHash } from "node:crypto";
import { HttpError } from "../errors.js";
import type { Store } from "../store.js";
import { type ChannelArm, type ChannelFile, checkPublishable, readChannelFile } from "./channel-file.js";
import { checkChannelRules } from "./channel-rules.js";

/** One published version of a channel file. */
export interface PublishedChannel extends ChannelFile {
  /** Quoted, as in the header. */
  etag: string;
  body: string;
  /** Epoch milliseconds. */
  at: number;
  by: string;
  why: string;
}

export interface ChannelChange {
  release: number;
  at: number;
  by: string;
  why: string;
  etag: string;
  arms: ChannelArm[];
}

export interface Publication {
  model: string;
  body: string;
  /** The header `If-Match`: the ETag of the channel that is replaced. */
  ifMatch?: string;
  /** The header `If-None-Match`, `*`: there is no channel yet. */
  ifNoneMatch?: string;
  /** Lets a channel without a signature replace one that has some. */
  unsigned?: boolean;
  by: string;
  why: string;
}

/** Models that have a channel: each is in memory. */
const MAX_CHANNELS = 1_000;
const MAX_HISTORY = 1_000;

export class Channels {
  readonly #store: Store;
  readonly #now: () => number;
  readonly #newest = new Map<string, PublishedChannel>();
  /** Publications run one after the other: of two with the same `If-Match` the second must see the first. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(store: Store, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  static async open(store: Store, now: () => number): Promise<Channels> {
    const channels = new Channels(store, now);
    const rows = await store.read((connection) => connection.runAndReadAll(`${SELECT} ORDER BY release`));
    for (const row of rows.getRowObjectsJS()) {
      const one = channelOf(row);
      channels.#newest.set(one.model, one);
    }
    return channels;
  }

  newest(model: string): PublishedChannel | undefined {
    return this.#newest.get(model);
  }

  models(): string[] {
    return [...this.#newest.keys()];
  }

  /** Newest first. */
  async history(model: string): Promise<ChannelChange[]> {
    const all = await this.versions(model);
    return all.map(({ release, at, by, why, etag, arms }) => ({ release, at, by, why, etag, arms }));
  }

  /** The published versions of one channel, newest first, 1,000 at most. */
  async versions(model: string): Promise<PublishedChannel[]> {
    const sql = `${SELECT} WHERE model = $model ORDER BY release DESC LIMIT ${MAX_HISTORY}`;
    const rows = await this.#store.read((connection) => connection.runAndReadAll(sql, { model }));
    return rows.getRowObjectsJS().map(channelOf);
  }

  /** Rejects with `HttpError`: 400 for the file, 409 for its release, expiry or lost signature, 412 when another change came first, 428 without a condition. */
  publish(publication: Publication): Promise<PublishedChannel> {
    const turn = this.#last.then(() => this.#publish(publication));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #publish({ model, body, ifMatch, ifNoneMatch, unsigned, by, why }: Publication): Promise<PublishedChannel> {
    const file = readChannelFile(body);
    if (file.model !== model)
      throw new HttpError(400, `The channel is of the model "${file.model}", and the address of "${model}".`);
    const known = this.#newest.get(model);
    checkCondition(known, ifMatch, ifNoneMatch);
    if (known && known.body === body) return known;
    checkChannelRules(body);
    checkPublishable(file, known?.release, this.#now());
    if (known?.isSigned && !file.isSigned && !unsigned)
      throw new HttpError(
        409,
        `Release ${known.release} is signed, and this one is not: pages that ask for a signature would refuse it. Sign it, or send "x-insitu-unsigned: yes" if you mean it.`,
      );
    if (!known && this.#newest.size >= MAX_CHANNELS)
      throw new HttpError(409, `There are ${MAX_CHANNELS} channels, the maximum.`);
    const etag = `"${createHash("sha256").update(body).digest("hex").slice(0, 32)}"`;
    const one: PublishedChannel = { ...file, etag, body, at: this.#now(), by, why };
    const { release, at } = one;
    await this.#store.write((connection) =>
      connection.run(
        "INSERT INTO channels VALUES ($model, epoch_ms($at::BIGINT), $release::BIGINT, $etag, $body, $by, $why)",
        {
          model,
          at: BigInt(at),
          release: BigInt(release),
          etag,
          body,
          by,
          why,
        },
      ),
    );
    this.#newest.set(model, one);
    return one;
  }
}

const SELECT = "SELECT epoch_ms(time)::DOUBLE AS time, etag, body, who, why FROM channels";

function channelOf(row: Record<string, unknown>): PublishedChannel {
  const body = String(row.body);
  const { time, etag, who, why } = row;
  return { ...readChannelFile(body), body, at: Number(time), etag: String(etag), by: String(who), why: String(why) };
}

function checkCondition(known: PublishedChannel | undefined, ifMatch?: string, ifNoneMatch?: string): void {
  if (ifMatch === undefined && ifNoneMatch === undefined)
    throw new HttpError(
      428,
      'Send "if-match" with the ETag of the channel that you replace, or "if-none-match: *" for a new one.',
    );
  if (ifNoneMatch !== undefined && known)
    throw new HttpError(
      412,
      `There is a channel already, with release ${known.release}. Read it, and send "if-match".`,
    );
  if (ifMatch === undefined) return;
  if (!known) throw new HttpError(412, 'There is no channel yet; send "if-none-match: *".');
  if (!matches(ifMatch, known.etag))
    throw new HttpError(
      412,
      `Somebody has published release ${known.release} since you read the channel${known.by ? ` (${known.by})` : ""}. Read it again.`,
    );
}

/** Whether a header with ETags names this one. Proxies that compress mark it as weak. */
export function matches(header: string, etag: string): boolean {
  return header.split(",").some((one) => {
    const plain = one.trim().replace(/^W\//, "");
    return plain === "*" || plain === etag;
  });
}
