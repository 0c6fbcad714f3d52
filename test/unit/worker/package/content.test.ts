// A package's bytes: what is missing is fetched once, what is damaged is mended alone, and a full store stops nothing.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { InsituError } from "../../../../src/shared/errors.js";
import type { FileSpec, Manifest } from "../../../../src/shared/types/manifest.js";
import type { StoreEvent } from "../../../../src/shared/types/store.js";
import { type ContentContext, createContent } from "../../../../src/worker/package/content.js";
import { createMemoryStore } from "../../../../src/worker/package/store/memory-store.js";
import type { Store } from "../../../../src/worker/package/store/store.js";
import { brokenStore } from "../../../support/broken-store.js";
import { type ByteHost, serve, startHost } from "../../../support/byte-host.js";
import { type Cut, cut, evenly, failure, randomBytes } from "../../../support/chunked.js";
import { eagerPorts } from "../../../support/ports.js";

const first = evenly(1, 500);
const second = evenly(6, 1000, 2);
const hosted: Record<string, Cut> = { "/m/a.json": first, "/m/b.bin": second };
const QUOTA = new InsituError("storage_quota", "the disk is full");

let host: ByteHost;
let store: Store;
let events: StoreEvent[];
beforeEach(async () => {
  Object.assign(hosted, { "/m/a.json": first, "/m/b.bin": second });
  store = createMemoryStore();
  events = [];
  host = await startHost((req, res) => serve(req, res, hosted[req.url ?? ""]?.bytes as Uint8Array));
});
afterEach(() => host.close());

const fileOf = (path: string, { size, chunks }: Cut): FileSpec =>
  chunks.length === 1 ? { path, size, sha256: chunks[0]?.sha256 } : { path, size, chunks };
const A = fileOf("a.json", first);
const B = fileOf("b.bin", second);
const ignore = () => undefined;

function content(files: FileSpec[] = [A, B], changes: Partial<ContentContext> = {}) {
  const signal = new AbortController().signal;
  const emit = (event: StoreEvent) => void events.push(event);
  return createContent(`${host.url}m/`, { files } as Manifest, { store, ports: eagerPorts, signal, emit, ...changes });
}

async function readAll(from: ReturnType<typeof content>, files: FileSpec[]): Promise<Uint8Array> {
  const parts: Blob[] = [];
  for await (const bytes of from.read(files, ignore)) parts.push(new Blob([bytes]));
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** Downloads and keeps all; answers why not all is kept. */
async function fetchAll(into: ReturnType<typeof content>, onBytes: (bytes: number) => void = ignore): Promise<unknown> {
  await into.download([A, B], onBytes, ignore);
  into.flush();
  return into.stored().catch((error: unknown) => error);
}

/** Puts the package into the store and empties the host's log. */
async function stored(): Promise<void> {
  const before = content();
  await fetchAll(before);
  host.requests.length = 0;
}

/** A store that says of one chunk that it is `what`. */
function damaged(index: number, what: "missing" | "corrupt"): Store {
  const hash = second.chunks[index]?.sha256;
  let mended = false;
  return {
    ...store,
    read: async (chunk) => (chunk.sha256 === hash && !mended ? what : store.read(chunk)),
    put: async (url, chunk, bytes) => {
      if (chunk.sha256 === hash) mended = true;
      await store.put(url, chunk, bytes);
    },
  };
}

describe("what is missing", () => {
  it("is fetched and kept, and what was just fetched is not read back", async () => {
    const { store: watched, calls } = brokenStore(store, {});
    const fetched = content([A, B], { store: watched });
    await fetched.download([A, B], ignore, ignore);
    expect(await readAll(fetched, [A])).toEqual(first.bytes);
    expect(await readAll(fetched, [B])).toEqual(second.bytes);
    fetched.flush();
    await fetched.stored();
    expect(calls.get("put")).toBe(7);
    expect(calls.get("read")).toBeUndefined();
    // A second time it comes out of the store.
    expect(await readAll(fetched, [B])).toEqual(second.bytes);
    expect(calls.get("read")).toBe(6);
  });

  it("is counted with what was there already, and adds up to the package's size", async () => {
    await store.put("x", second.chunks[1] as never, new Blob([second.part(1)]));
    let counted = 0;
    await fetchAll(content(), (bytes) => {
      counted += bytes;
    });
    expect(counted).toBe(6500);
    expect(host.requests.map(({ range }) => range)).not.toContain("bytes=0-3999");
  });

  it("is nothing for a package that is stored: no request, and no progress of a download", async () => {
    await stored();
    expect(await fetchAll(content(), () => expect.unreachable())).toBeUndefined();
    expect(host.requests).toEqual([]);
  });

  it("is fetched once where a package has the same chunk several times", async () => {
    const piece = randomBytes(100, 7);
    const twice = cut(new Uint8Array([...piece, ...piece, ...piece]), [100, 100, 100]);
    hosted["/m/t.bin"] = twice;
    const file = fileOf("t.bin", twice);
    const fetched = content([file]);
    let counted = 0;
    await fetched.download(
      [file],
      (bytes) => {
        counted += bytes;
      },
      ignore,
    );
    const read = readAll(fetched, [file]);
    fetched.flush();
    await fetched.stored();
    expect(fetched.chunks).toHaveLength(1);
    expect(counted).toBe(300);
    expect(host.requests.map(({ range }) => range)).toEqual(["bytes=0-99"]);
    expect(await read).toEqual(twice.bytes);
    expect(host.requests).toHaveLength(1);
  });

  it("is handed out while the rest is still on its way", async () => {
    let release: () => void = ignore;
    host.answer = (req, res) => {
      const bytes = hosted[req.url ?? ""]?.bytes as Uint8Array;
      if (req.headers.range === "bytes=4000-5999") release = () => serve(req, res, bytes);
      else serve(req, res, bytes);
    };
    const fetched = content();
    await fetched.download([A, B], ignore, ignore);
    const reading = fetched.read([B], ignore);
    for (let index = 0; index < 4; index += 1)
      expect(new Uint8Array((await reading.next()).value as ArrayBuffer)).toEqual(second.part(index));
    release();
    expect(new Uint8Array((await reading.next()).value as ArrayBuffer)).toEqual(second.part(4));
    fetched.flush();
    await fetched.stored();
  });

  it("is not waited for by a slow store, of which no more than eight chunks wait", async () => {
    const many = evenly(20, 100, 5);
    hosted["/m/b.bin"] = many;
    const file = fileOf("b.bin", many);
    let waiting = 0;
    let most = 0;
    const slow: Store = {
      ...store,
      put: async (...given) => {
        waiting += 1;
        most = Math.max(most, waiting);
        await new Promise((done) => setTimeout(done, 20));
        waiting -= 1;
        return store.put(...given);
      },
    };
    const fetched = content([file], { store: slow });
    await fetched.download([file], ignore, ignore);
    fetched.flush();
    expect(await readAll(fetched, [file])).toEqual(many.bytes);
    expect(waiting).toBeGreaterThan(0);
    fetched.flush();
    await fetched.stored();
    // Each of four requests may bring one more before it waits.
    expect(most).toBeLessThanOrEqual(8 + 4);
  });

  it("waits a moment before it is stored, and is freed once it is and was read", async () => {
    const fetched = content();
    await fetched.download([A, B], ignore, ignore);
    const read: ArrayBuffer[] = [];
    for await (const bytes of fetched.read([B], ignore)) read.push(bytes);
    // Storing has not begun: what was read must stay for it.
    expect(await store.has(fetched.chunks.map(({ sha256 }) => sha256))).toEqual(new Set());
    expect(read.map(({ byteLength }) => byteLength)).toEqual(Array(6).fill(1000));
    fetched.flush();
    fetched.flush();
    await fetched.stored();
    read.length = 0;
    for await (const bytes of fetched.read([B], ignore)) read.push(bytes);
    expect(read.map(({ byteLength }) => byteLength)).toEqual(Array(6).fill(0));
  });

  it("fails its readers with what failed the download", async () => {
    host.answer = (_req, res) => void res.writeHead(404).end();
    const fetched = content();
    await fetched.download([A, B], ignore, ignore);
    expect(await failure(readAll(fetched, [A]))).toMatchObject({ code: "http_4xx" });
    fetched.flush();
    expect(await failure(fetched.stored())).toMatchObject({ code: "http_4xx" });
  });
});

describe("a stored chunk", () => {
  it.each(["corrupt", "missing"] as const)(
    "that is %s is mended alone, with one request for its part",
    async (what) => {
      await stored();
      const mended = content([A, B], { store: damaged(3, what) });
      await mended.download([A, B], ignore, ignore);
      expect(await readAll(mended, [A, B])).toEqual(new Uint8Array([...first.bytes, ...second.bytes]));
      expect(host.requests.map(({ path, range }) => [path, range])).toEqual([["/m/b.bin", "bytes=3000-3999"]]);
      const event = { type: "corrupt", url: `${host.url}m/`, path: "b.bin", sha256: second.chunks[3]?.sha256 };
      expect(events).toEqual(what === "corrupt" ? [event] : []);
      // The mended chunk is in the store again.
      expect(await readAll(mended, [B])).toEqual(second.bytes);
      expect(host.requests).toHaveLength(1);
    },
  );

  it("that cannot be mended, because the host is away, is storage_corrupt with the cause", async () => {
    await stored();
    const broken = content([A, B], { store: damaged(3, "corrupt") });
    const { url } = host;
    await host.close();
    const error = await failure(readAll(broken, [B]));
    expect(error).toMatchObject({
      code: "storage_corrupt",
      data: { url: `${url}m/`, path: "b.bin", chunk: 3 },
      cause: { code: "network" },
    });
  });

  it("that the host has no more, because it published another version, is storage_corrupt with the cause", async () => {
    await stored();
    const broken = content([A, B], { store: damaged(3, "corrupt") });
    host.answer = (req, res) => serve(req, res, randomBytes(6000, 9));
    expect(await failure(readAll(broken, [B]))).toMatchObject({
      code: "storage_corrupt",
      cause: { code: "model_integrity" },
    });
  });

  it("that is being mended when the load is aborted is `aborted`", async () => {
    await stored();
    const stop = new AbortController();
    host.answer = () => stop.abort();
    const broken = content([A, B], { store: damaged(3, "corrupt"), signal: stop.signal });
    expect(await failure(readAll(broken, [B]))).toMatchObject({ code: "aborted" });
  });

  it("that a package has twice is mended for both, also when both come at the same time", async () => {
    const piece = randomBytes(1000, 8);
    const twice = cut(new Uint8Array([...piece, ...piece]), [1000, 1000]);
    const file = fileOf("t.bin", twice);
    // The last part stays open after its last byte; meanwhile the first comes, is mended and handed out.
    host.answer = (req, res) => {
      const isLast = req.headers.range === "bytes=1000-1999";
      const range = isLast ? "bytes 1000-1999/2000" : "bytes 0-999/2000";
      res.writeHead(206, { "Content-Range": range });
      setTimeout(() => res.write(piece), isLast ? 0 : 40);
      setTimeout(() => res.end(), isLast ? 120 : 40);
    };
    const none: Store = { ...store, read: async () => "missing", put: async () => undefined };
    expect(await readAll(content([file], { store: none }), [file])).toEqual(twice.bytes);
    expect(host.requests).toHaveLength(2);
  });
});

describe("a store that is full", () => {
  it("is given up on, its error answered, and all is read from memory", async () => {
    const { store: full, calls } = brokenStore(store, { put: { error: QUOTA } });
    const fetched = content([A, B], { store: full });
    await fetched.download([A, B], ignore, ignore);
    const asked = readAll(fetched, [A, B]);
    fetched.flush();
    expect(await fetched.stored().catch((error: unknown) => error)).toBe(QUOTA);
    await fetched.giveUp(QUOTA);
    expect(calls.get("abandon")).toBeGreaterThanOrEqual(1);
    expect(await asked).toEqual(new Uint8Array([...first.bytes, ...second.bytes]));
    expect(host.requests).toHaveLength(3);
  });

  it("half way through leaves nothing behind", async () => {
    const limited: Store = {
      ...store,
      put: async (url, chunk, bytes) => {
        if (chunk.sha256 === second.chunks[2]?.sha256) throw QUOTA;
        await store.put(url, chunk, bytes);
      },
    };
    const fetched = content([A, B], { store: limited });
    await fetched.download([A, B], ignore, ignore);
    const read = readAll(fetched, [A, B]);
    fetched.flush();
    expect(await fetched.stored().catch((error: unknown) => error)).toBe(QUOTA);
    await fetched.giveUp(QUOTA);
    expect((await store.has(second.chunks.map(({ sha256 }) => sha256))).size).toBe(0);
    expect(await read).toEqual(new Uint8Array([...first.bytes, ...second.bytes]));
  });

  it("does not stop a second reading either: the host is asked again", async () => {
    const { store: full } = brokenStore(store, { put: { error: QUOTA } });
    const fetched = content([A, B], { store: full });
    await fetched.download([A, B], ignore, ignore);
    await readAll(fetched, [A, B]);
    expect(await readAll(fetched, [B])).toEqual(second.bytes);
  });

  it("whose trouble is a bug, and no InsituError, is told as such", async () => {
    const { store: broken } = brokenStore(store, { put: { error: new TypeError("bug") } });
    expect(await fetchAll(content([A, B], { store: broken }))).toMatchObject({
      code: "storage_unavailable",
      cause: { message: "bug" },
    });
  });
});

describe("reading ahead", () => {
  it("is stopped by a reader that leaves, and what fails then is nobody's unhandled rejection", async () => {
    await stored();
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown) => unhandled.push(reason);
    process.on("unhandledRejection", onUnhandled);
    try {
      const late: Store = {
        ...store,
        read: async (chunk) => {
          if (chunk.sha256 === second.chunks[0]?.sha256) return store.read(chunk);
          await new Promise((done) => setTimeout(done, 20));
          throw new TypeError("the database is gone");
        },
      };
      for await (const bytes of content([A, B], { store: late }).read([B], ignore)) {
        expect(new Uint8Array(bytes)).toEqual(second.part(0));
        break;
      }
      await new Promise((done) => setTimeout(done, 60));
      expect(unhandled).toEqual([]);
    } finally {
      process.off("unhandledRejection", onUnhandled);
    }
  });

  it("reads three chunks at a time at most", async () => {
    await stored();
    let reading = 0;
    let most = 0;
    const counting: Store = {
      ...store,
      read: async (chunk) => {
        reading += 1;
        most = Math.max(most, reading);
        await new Promise((done) => setTimeout(done, 2));
        reading -= 1;
        return store.read(chunk);
      },
    };
    expect(await readAll(content([A, B], { store: counting }), [A, B])).toHaveLength(6500);
    expect(most).toBe(3);
  });

  it("ends with `aborted` when the load is aborted between two chunks", async () => {
    await stored();
    const stop = new AbortController();
    const reading = content([A, B], { signal: stop.signal }).read([A, B], ignore);
    await reading.next();
    stop.abort();
    await expect(reading.next()).rejects.toMatchObject({ code: "aborted" });
  });
});
