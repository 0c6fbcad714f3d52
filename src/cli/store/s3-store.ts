// A bucket as an object store, through the AWS SDK's client, which is loaded only for s3: addresses.
import { createReadStream, createWriteStream } from "node:fs";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type * as Sdk from "@aws-sdk/client-s3";
import { asInsituError, InsituError } from "../../shared/errors.js";
import { type Content, type ObjectEntry, type ObjectStore, type StoredObject, tooLarge } from "./object-store.js";
import { loadSdk, type SdkModule } from "./s3-sdk.js";

/** Two writers at once: S3 asks the slower one to try again. */
const CONFLICT_TRIES = 5;
const CONFLICT_PAUSE = 50;
/** Written once per bucket and prefix; a second creation must fail. */
const PROBE = ".insitu-conditional-writes";

/**
 * `s3://bucket/prefix`. Region, credentials and endpoint come from the SDK's own variables and files: AWS_REGION, AWS_PROFILE,
 * AWS_ENDPOINT_URL_S3 for other stores than Amazon's.
 */
export async function openS3(address: string): Promise<ObjectStore> {
  const [, bucket, path = ""] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/i.exec(address) ?? [];
  const parts = path.split("/").filter((part) => part !== "");
  if (bucket === undefined || parts.some((part) => part === "." || part === "..")) {
    const message = `${address} is not the address of a bucket. Pass s3://bucket/prefix.`;
    throw new InsituError("input_invalid", message, { address });
  }
  const sdk = await loadSdk();
  const endpoint = process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL;
  const region = process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION;
  const client = new sdk.S3Client({
    // Stores other than Amazon's have no host per bucket on most addresses, and no region that matters.
    ...(endpoint !== undefined && { forcePathStyle: true }),
    ...(endpoint !== undefined && region === undefined && { region: "us-east-1" }),
    // Other stores refuse the checksums that the SDK would add to each request.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
  return new S3Store(sdk, client, bucket, parts.length > 0 ? `${parts.join("/")}/` : "");
}

class S3Store implements ObjectStore {
  readonly #sdk: SdkModule;
  readonly #client: Sdk.S3Client;
  readonly #bucket: string;
  readonly #prefix: string;
  #isProbed = false;

  constructor(sdk: SdkModule, client: Sdk.S3Client, bucket: string, prefix: string) {
    this.#sdk = sdk;
    this.#client = client;
    this.#bucket = bucket;
    this.#prefix = prefix;
  }

  where(key: string): string {
    return `s3://${this.#bucket}/${this.#prefix}${key}`;
  }

  async read(key: string, maxBytes: number): Promise<StoredObject | undefined> {
    const found = await this.#get(key, maxBytes);
    if (!found) return undefined;
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of found.body) {
      size += (part as Buffer).length;
      if (size > maxBytes) throw tooLarge(this.where(key), maxBytes);
      parts.push(part as Buffer);
    }
    return { bytes: Buffer.concat(parts), etag: found.etag };
  }

  async create(key: string, content: Content): Promise<boolean> {
    await this.#probe();
    return this.#put(key, content, { IfNoneMatch: "*" });
  }

  async replace(key: string, bytes: Buffer, etag: string | undefined): Promise<boolean> {
    await this.#probe();
    return this.#put(key, bytes, etag === undefined ? { IfNoneMatch: "*" } : { IfMatch: etag });
  }

  async list(prefix: string): Promise<ObjectEntry[]> {
    const found: ObjectEntry[] = [];
    for await (const page of this.#pages(prefix))
      for (const { Key, Size = 0, LastModified } of page.Contents ?? [])
        if (Key?.startsWith(this.#prefix) && !Key.endsWith("/"))
          found.push({ key: Key.slice(this.#prefix.length), size: Size, modifiedAt: LastModified?.getTime() ?? 0 });
    return found;
  }

  async folders(prefix: string): Promise<string[]> {
    const from = this.#prefix.length + prefix.length;
    const found: string[] = [];
    for await (const page of this.#pages(prefix, "/"))
      for (const { Prefix } of page.CommonPrefixes ?? []) if (Prefix) found.push(Prefix.slice(from, -1));
    return found;
  }

  async remove(key: string): Promise<void> {
    await this.#send(key, new this.#sdk.DeleteObjectCommand(this.#name(key)));
  }

  async localPath(): Promise<undefined> {
    return undefined;
  }

  async download(key: string, path: string, maxBytes: number): Promise<boolean> {
    const found = await this.#get(key, maxBytes);
    if (!found) return false;
    await pipeline(found.body, createWriteStream(path)).catch((error: unknown) => {
      throw asInsituError(error, "network", `${this.where(key)} could not be downloaded`);
    });
    return true;
  }

  // An object appears whole or not at all.
  async sweep(): Promise<void> {}

  #name(key: string) {
    return { Bucket: this.#bucket, Key: this.#prefix + key };
  }

  async *#pages(prefix: string, delimiter?: string): AsyncGenerator<Sdk.ListObjectsV2CommandOutput> {
    let token: string | undefined;
    do {
      const command = new this.#sdk.ListObjectsV2Command({
        Bucket: this.#bucket,
        Prefix: this.#prefix + prefix,
        Delimiter: delimiter,
        ContinuationToken: token,
      });
      const page = (await this.#send(prefix, command)) as Sdk.ListObjectsV2CommandOutput;
      yield page;
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }

  async #get(key: string, maxBytes: number): Promise<{ body: Readable; etag: string } | undefined> {
    try {
      const command = new this.#sdk.GetObjectCommand(this.#name(key));
      const { Body, ContentLength = 0, ETag = "" } = await this.#client.send(command);
      if (ContentLength > maxBytes) {
        (Body as Readable).destroy();
        throw tooLarge(this.where(key), maxBytes);
      }
      return { body: Body as Readable, etag: ETag };
    } catch (error) {
      if (statusOf(error) === 404 && nameOf(error) !== "NoSuchBucket") return undefined;
      throw this.#error(key, error);
    }
  }

  async #put(key: string, content: Content, condition: { IfMatch?: string; IfNoneMatch?: string }): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      const { Body, ContentLength } = Buffer.isBuffer(content)
        ? { Body: content, ContentLength: content.length }
        : { Body: createReadStream(content.file), ContentLength: content.size };
      const about = { ...this.#name(key), Body, ContentLength, ContentType: contentType(key), ...cacheControl(key) };
      try {
        await this.#client.send(new this.#sdk.PutObjectCommand({ ...about, ...condition }));
        return true;
      } catch (error) {
        const status = statusOf(error);
        // 404: the object that was to be replaced is gone.
        if (status === 412 || (status === 404 && condition.IfMatch !== undefined)) return false;
        if (status !== 409 || attempt === CONFLICT_TRIES) throw this.#error(key, error);
        await new Promise((done) => setTimeout(done, CONFLICT_PAUSE * attempt));
      }
    }
  }

  /** Some stores ignore the conditions of a write: two publishers would overwrite each other, and nobody would notice. */
  async #probe(): Promise<void> {
    if (this.#isProbed) return;
    const content = Buffer.from("Written by insitu to find out whether this store checks If-None-Match.\n");
    const isNew = await this.#put(PROBE, content, { IfNoneMatch: "*" });
    if (isNew && (await this.#put(PROBE, content, { IfNoneMatch: "*" }))) {
      const message = `${this.where("")} ignores the condition If-None-Match, so that two publishers could overwrite each other. Use a store with conditional writes, or a folder that you copy there.`;
      throw new InsituError("input_invalid", message, { store: this.where("") });
    }
    this.#isProbed = true;
  }

  async #send(key: string, command: Sdk.ListObjectsV2Command | Sdk.DeleteObjectCommand): Promise<unknown> {
    try {
      return await this.#client.send(command as Sdk.ListObjectsV2Command);
    } catch (error) {
      throw this.#error(key, error);
    }
  }

  #error(key: string, cause: unknown): InsituError {
    if (cause instanceof InsituError) return cause;
    const status = statusOf(cause);
    const code = status === undefined ? "network" : status >= 500 ? "http_5xx" : "http_4xx";
    const advice =
      status === undefined
        ? "Check the network, AWS_REGION, AWS_ENDPOINT_URL_S3 and the credentials."
        : status === 403 || status === 401
          ? "Check the credentials and the bucket's policy: s3:GetObject, PutObject, ListBucket and DeleteObject are needed."
          : "Check the bucket's name.";
    const message = `${this.where(key)}: ${nameOf(cause)}: ${(cause as Error).message}. ${advice}`;
    return new InsituError(code, message, { status }, { cause });
  }
}

const statusOf = (error: unknown): number | undefined =>
  (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;

const nameOf = (error: unknown): string => (error as Error).name;

const TYPES: Record<string, string> = { json: "application/json", html: "text/html; charset=utf-8" };

const contentType = (key: string): string => TYPES[key.slice(key.lastIndexOf(".") + 1)] ?? "application/octet-stream";

/** What changes is asked for each time; the files of a version never change. */
function cacheControl(key: string): { CacheControl: string } {
  const isFixed = /\/\d+\.\d+\.\d+[^/]*\/.+/.test(`/${key}`);
  return { CacheControl: isFixed ? "public, max-age=31536000, immutable" : "no-cache" };
}
