// A folder and a bucket keep the same contract: what is created once stays, and is replaced only by who has read it.
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FolderStore } from "../../../src/cli/store/folder-store.js";
import type { ObjectStore } from "../../../src/cli/store/object-store.js";
import { openStore } from "../../../src/cli/store/open-store.js";
import { useRooms } from "../../support/packages.js";
import { type S3Server, startS3 } from "../../support/s3-server.js";

const rooms = useRooms();
let s3: S3Server;
const before = { ...process.env };

beforeAll(async () => {
  s3 = await startS3();
  process.env.AWS_ENDPOINT_URL_S3 = s3.url;
  process.env.AWS_ACCESS_KEY_ID = "id";
  process.env.AWS_SECRET_ACCESS_KEY = "secret";
});
afterAll(async () => {
  for (const name of ["AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
  await s3.close();
});
beforeEach(() => {
  s3.objects.clear();
  s3.ignoresConditions = false;
});

const bytes = (text: string) => Buffer.from(text);
const MAX = 1_000;

const STORES: [string, () => Promise<ObjectStore>][] = [
  ["a folder", () => openStore(rooms.folder)],
  ["a file: address", () => openStore(new URL(`file://${rooms.folder}`).href)],
  ["a bucket", () => openStore(`s3://${s3.bucket}/some/prefix`)],
];

describe.each(STORES)("%s", (_name, open) => {
  it("creates an object once, also when many try at once", async () => {
    const store = await open();
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) => store.create("a/b.json", bytes(`writer ${index}`))),
    );
    expect(results.filter(Boolean)).toHaveLength(1);
    const winner = results.indexOf(true);
    expect((await store.read("a/b.json", MAX))?.bytes.toString()).toBe(`writer ${winner}`);
  });

  it("replaces only what was read", async () => {
    const store = await open();
    expect(await store.replace("x.json", bytes("one"), undefined)).toBe(true);
    expect(await store.replace("x.json", bytes("two"), undefined)).toBe(false);
    const read = await store.read("x.json", MAX);
    expect(await store.replace("x.json", bytes("two"), read?.etag)).toBe(true);
    expect(await store.replace("x.json", bytes("three"), read?.etag)).toBe(false);
    expect((await store.read("x.json", MAX))?.bytes.toString()).toBe("two");
    await store.remove("x.json");
    expect(await store.replace("x.json", bytes("four"), read?.etag)).toBe(false);
    expect(await store.read("x.json", MAX)).toBeUndefined();
  });

  it("lists objects and folders, of which there may be many", async () => {
    const store = await open();
    const keys = Array.from({ length: 20 }, (_, index) => `m/${String(index).padStart(2, "0")}/f.json`);
    for (const key of keys) await store.create(key, bytes(key));
    await store.create("m/top.json", bytes("top"));
    expect((await store.list("m/")).map(({ key }) => key).sort()).toEqual([...keys, "m/top.json"].sort());
    expect((await store.folders("m/")).sort()).toEqual(keys.map((key) => key.split("/")[1]));
    expect((await store.folders("")).sort()).toEqual(["m"]);
    expect(await store.list("none/")).toEqual([]);
  });

  it("copies files in and out, up to a limit", async () => {
    const store = await open();
    const file = rooms.write("large.bin", "x".repeat(100_000));
    expect(await store.create("large.bin", { file, size: 100_000 })).toBe(true);
    const to = join(rooms.root, "copy.bin");
    expect(await store.download("large.bin", to, 100_000)).toBe(true);
    expect(readFileSync(to, "utf8")).toHaveLength(100_000);
    expect(await store.download("none.bin", to, MAX)).toBe(false);
    await expect(store.read("large.bin", MAX)).rejects.toMatchObject({ code: "model_too_large" });
    await expect(store.download("large.bin", to, MAX)).rejects.toMatchObject({ code: "model_too_large" });
  });
});

describe("a folder", () => {
  it("follows no symbolic link, and lists what is behind none", async () => {
    const store = new FolderStore(rooms.folder);
    mkdirSync(join(rooms.root, "outside"), { recursive: true });
    writeFileSync(join(rooms.root, "outside/secret.json"), "secret");
    await store.create("m/own.json", bytes("own"));
    symlinkSync(join(rooms.root, "outside"), join(rooms.folder, "out"));
    symlinkSync(join(rooms.root, "outside/secret.json"), join(rooms.folder, "m/secret.json"));
    await expect(store.read("out/secret.json", MAX)).rejects.toMatchObject({ code: "input_invalid" });
    await expect(store.read("m/secret.json", MAX)).rejects.toMatchObject({ code: "input_invalid" });
    await expect(store.create("out/new.json", bytes("x"))).rejects.toMatchObject({ code: "input_invalid" });
    await expect(store.remove("out/secret.json")).rejects.toMatchObject({ code: "input_invalid" });
    await expect(store.read("../outside/secret.json", MAX)).rejects.toThrow("leaves the folder");
    expect((await store.list("")).map(({ key }) => key)).toEqual(["m/own.json"]);
    expect(await store.folders("")).toEqual(["m"]);
    expect(readFileSync(join(rooms.root, "outside/secret.json"), "utf8")).toBe("secret");
  });

  it("removes what dead writers left, and nothing of those that live", async () => {
    const store = new FolderStore(rooms.folder);
    await store.create("a.json", bytes("a"));
    const { createHash } = await import("node:crypto");
    const { hostname } = await import("node:os");
    const host = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
    const names = [
      `.insitu-${host}-999999999-000000000000.tmp`,
      `.insitu-${host}-${process.pid}-000000000000.tmp`,
      `.insitu-ffffffff-1-000000000000.tmp`,
    ];
    for (const name of names) writeFileSync(join(rooms.folder, name), "half");
    expect((await store.list("")).map(({ key }) => key)).toEqual(["a.json"]);
    await store.sweep("");
    expect(readdirSync(rooms.folder).sort()).toEqual([names[1], names[2], "a.json"].sort());
    // A folder in which a killed writer left nothing else.
    const below = join(rooms.folder, "m/1.0.0");
    mkdirSync(below, { recursive: true });
    writeFileSync(join(below, names[0] as string), "half");
    await store.sweep("");
    expect(readdirSync(below)).toEqual([names[0]]);
    await store.sweep("", "below");
    expect(readdirSync(below)).toEqual([]);
  });
});

describe("a bucket", () => {
  it("refuses a store that ignores conditions, before anything is written", async () => {
    s3.ignoresConditions = true;
    const store = await openStore(`s3://${s3.bucket}/p`);
    await expect(store.create("a.json", bytes("a"))).rejects.toMatchObject({
      code: "input_invalid",
      message: expect.stringContaining("ignores the condition If-None-Match"),
    });
    expect([...s3.objects.keys()].filter((key) => key.endsWith("a.json"))).toEqual([]);
  });

  it.each([
    ["s3://", "is not the address of a bucket"],
    ["s3://models/../other", "is not the address of a bucket"],
    ["ftp://models/x", "is not a kind of store"],
  ])("refuses %s", async (address, message) => {
    await expect(openStore(address)).rejects.toMatchObject({
      code: "input_invalid",
      message: expect.stringContaining(message),
    });
  });

  it("says what to do for a bucket that is not there", async () => {
    const store = await openStore("s3://nothing-here/x");
    await expect(store.read("a.json", MAX)).rejects.toMatchObject({
      code: "http_4xx",
      message: expect.stringContaining("bucket's name"),
    });
  });
});
