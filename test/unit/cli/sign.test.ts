// Runs `insitu keygen`, `sign`, `pack --sign` and `verify --key` as processes: their files, output and errors.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { packModel } from "../../../src/cli/pack.js";
import { insitu } from "../../support/cli.js";
import { CENTERNET, DETECTIONS, flip, useRooms } from "../../support/packages.js";

const rooms = useRooms();

const path = (name: string) => join(rooms.root, name);
const read = (file: string) => JSON.parse(readFileSync(file, "utf8"));
const manifestOf = (folder: string) => read(join(folder, "insitu.json"));

beforeAll(() => {
  for (const name of ["one", "two"])
    expect(insitu("keygen", "--out", path(`${name}.json`), "--id", name).status).toBe(0);
});

/** A new package for each test. */
async function packed(): Promise<string> {
  const about = { name: "objects", version: "1.0.0", task: DETECTIONS, selfTest: false as const };
  await packModel({ model: CENTERNET, out: rooms.folder, ...about });
  return rooms.folder;
}

describe("keygen", () => {
  it("writes a private key that only its owner can read and a public key beside it, and prints the option for the page", () => {
    const { status, stdout, stderr } = insitu("keygen", "--out", path("mine.json"));
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const { id, publicKey, privateKey, algorithm } = read(path("mine.json"));
    expect(statSync(path("mine.json")).mode & 0o777).toBe(0o600);
    expect(read(path("mine.public.json"))).toEqual({ id, publicKey, algorithm: "Ed25519" });
    expect(algorithm).toBe("Ed25519");
    expect(id).toMatch(/^[0-9a-f]{16}$/);
    expect(Buffer.from(publicKey, "base64")).toHaveLength(32);
    expect(stdout).toContain(`{ id: "${id}", publicKey: "${publicKey}" }`);
    expect(stdout).not.toContain(privateKey);
  });

  it("overwrites neither key of a pair", () => {
    const before = readFileSync(path("one.json"), "utf8");
    expect(insitu("keygen", "--out", path("one.json"))).toMatchObject({ status: 1, stdout: "" });
    writeFileSync(path("half.json"), "{}");
    expect(insitu("keygen", "--out", path("half.json")).stderr).toContain("never overwritten");
    expect(readFileSync(path("one.json"), "utf8")).toBe(before);
    expect(readdirSync(rooms.root)).not.toContain("half.public.json");
  });
});

describe("a signed package", () => {
  it("is created by pack --sign, and verified with the public or the private key", () => {
    const args = [CENTERNET, "--out", rooms.folder, "--name", "objects", "--version", "1.0.0"];
    const task = rooms.write("task.json", DETECTIONS);
    const pack = insitu(
      "pack",
      ...args,
      "--task",
      task,
      "--sign",
      path("one.json"),
      "--expires",
      "2100-01-01",
      "--no-self-test",
      "--no-plan",
    );
    expect(pack).toMatchObject({ status: 0, stderr: "" });
    expect(pack.stdout).toContain("expires  2100-01-01");
    for (const key of ["one.public.json", "one.json"]) {
      const verified = insitu("verify", rooms.folder, "--key", path(key));
      expect(verified).toMatchObject({ status: 0, stderr: "" });
      expect(verified.stdout).toMatch(/ is intact, and signed by one\.\n$/);
    }
    expect(insitu("verify", rooms.folder).stdout).toContain("signed by one, not verified (pass --key)");
    expect(insitu("inspect", rooms.folder).stdout).toContain("by one, not verified");
    const wrong = insitu("verify", rooms.folder, "--key", path("two.public.json"));
    expect(wrong).toMatchObject({ status: 1, stdout: "" });
    expect(wrong.stderr).toContain("one is not a key of this client");
  });

  it("keeps the signatures of other keys and fields that this version does not know", async () => {
    const folder = await packed();
    const file = join(folder, "insitu.json");
    writeFileSync(file, JSON.stringify({ ...manifestOf(folder), later: { a: [1] } }));
    for (const key of ["one", "two", "one"])
      expect(insitu("sign", folder, "--key", path(`${key}.json`)).status).toBe(0);
    expect(manifestOf(folder).later).toEqual({ a: [1] });
    expect(manifestOf(folder).signatures.map(({ keyId }: { keyId: string }) => keyId)).toEqual(["two", "one"]);
    const both = ["--key", path("one.public.json"), "--key", path("two.public.json"), "--threshold", "2"];
    expect(insitu("verify", folder, ...both).stdout).toMatch(/ is intact, and signed by one, two\.\n$/);
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("lists as signers only the keys with a valid signature", async () => {
    const folder = await packed();
    const said = (...keys: string[]) => insitu("verify", folder, ...keys.flatMap((key) => ["--key", path(key)])).stdout;
    expect(said()).toContain("is intact, and unsigned.");
    insitu("sign", folder, "--key", path("one.json"));
    const forged = { keyId: "two", algorithm: "Ed25519", signature: Buffer.alloc(64, 7).toString("base64") };
    const manifest = manifestOf(folder);
    writeFileSync(
      join(folder, "insitu.json"),
      JSON.stringify({ ...manifest, signatures: [...manifest.signatures, forged] }),
    );
    const words = "signed by one; the signature of two is not valid or was not verified.";
    expect(said("one.public.json", "two.public.json")).toContain(words);
    expect(said("one.public.json")).toContain(words);
  });

  it("loses the other signatures, with a message, when its release or expiry changes", async () => {
    const folder = await packed();
    insitu("sign", folder, "--key", path("one.json"));
    const signed = insitu(
      "sign",
      folder,
      "--key",
      path("two.json"),
      "--release",
      "5",
      "--expires",
      "2001-01-01T00:00:00Z",
    );
    expect(signed.stdout).toContain("the signatures of one were removed");
    expect(manifestOf(folder)).toMatchObject({
      release: 5,
      expires: "2001-01-01T00:00:00Z",
      signatures: [{ keyId: "two" }],
    });
    expect(insitu("verify", folder, "--key", path("two.json")).stderr).toContain("expired on 2001");
  });

  it("is refused and cannot be signed after a byte of it was changed", async () => {
    const folder = await packed();
    insitu("sign", folder, "--key", path("one.json"));
    writeFileSync(join(folder, "insitu.json"), JSON.stringify({ ...manifestOf(folder), license: "none" }));
    expect(insitu("verify", folder, "--key", path("one.json")).stderr).toContain("does not fit the manifest");
    flip(join(folder, manifestOf(folder).files[1].path), 99);
    const before = readFileSync(join(folder, "insitu.json"), "utf8");
    expect(insitu("sign", folder, "--key", path("one.json"))).toMatchObject({ status: 1, stdout: "" });
    expect(readFileSync(join(folder, "insitu.json"), "utf8")).toBe(before);
  });
});

describe("wrong usage", () => {
  it.each<[string, string[], number, string]>([
    ["keygen without --out", ["keygen"], 2, "--out"],
    ["sign without a key", ["sign", "folder"], 2, "--key"],
    [
      "a threshold above the number of keys",
      ["verify", "x", "--key", "one.json", "--threshold", "2"],
      2,
      "1 key was given",
    ],
    ["a public key to sign with", ["sign", "PACKAGE", "--key", "one.public.json"], 1, "which cannot sign"],
    ["a key pair that does not match", ["sign", "PACKAGE", "--key", "mixed.json"], 1, "do not belong together"],
    ["a public key in another base64 form", ["verify", "x", "--key", "spelled.json"], 1, "not base64 of 32 bytes"],
    [
      "two keys with the same id",
      ["verify", "x", "--key", "one.json", "--key", "one.public.json"],
      1,
      "have the id one",
    ],
    ["a threshold of 0", ["verify", "x", "--key", "one.json", "--threshold", "0"], 2, "at least 1"],
    ["a threshold without keys", ["verify", "x", "--threshold", "1"], 2, "0 keys were given"],
    ["an empty id", ["keygen", "--out", "empty.json", "--id", ""], 2, "It is empty"],
    ["a folder for the key that does not exist", ["keygen", "--out", "gone/key.json"], 1, "cannot be written"],
    ["a file that is not a key", ["sign", "PACKAGE", "--key", "none.json"], 1, "is not a key file"],
    ["a key that does not exist", ["sign", "PACKAGE", "--key", "gone.json"], 1, "there is no such file"],
  ])("%s", async (_what, args, status, words) => {
    rooms.write("none.json", { id: "x" });
    const one = read(path("one.json"));
    rooms.write("mixed.json", { ...one, publicKey: read(path("two.json")).publicKey });
    rooms.write("spelled.json", { ...one, publicKey: one.publicKey.replace("=", "") });
    const folder = args.includes("PACKAGE") ? await packed() : "";
    const found = insitu(...args.map((arg) => (arg === "PACKAGE" ? folder : arg.endsWith(".json") ? path(arg) : arg)));
    expect(found).toMatchObject({ status, stdout: "" });
    expect(found.stderr).toContain(words);
  });

  it.each(["pack", "verify", "inspect", "keygen", "sign"])("%s has --help", (name) => {
    expect(insitu(name, "--help")).toMatchObject({
      status: 0,
      stderr: "",
      stdout: expect.stringMatching(/^Examples?:/m),
    });
  });
});
