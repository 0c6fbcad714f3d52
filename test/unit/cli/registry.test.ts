// Runs `insitu registry` as processes, on a folder and on a bucket: versions that never change, aliases, history, comparison, removal.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parseChannel } from "../../../src/shared/rollout/parse-channel.js";
import { insitu, insituAsync, startInsitu } from "../../support/cli.js";
import { flip } from "../../support/packages.js";
import { useRegistry } from "../../support/registry-room.js";
import { type S3Server, startS3 } from "../../support/s3-server.js";
import { readJson, writeVersion } from "../../support/versions.js";

const { rooms, version, registry, add, at } = useRegistry();

beforeAll(() => {
  const packages = join(rooms.root, "packages");
  writeVersion(packages, "1.0.0", { metrics: { accuracy: 0.9 } });
  writeVersion(packages, "1.1.0", { metrics: { accuracy: 0.95 }, license: "MIT" });
  writeVersion(packages, "1.2.0-rc.1");
  writeVersion(packages, "1.10.0");
  for (const name of ["key", "two"])
    expect(insitu("keygen", "--out", join(rooms.root, `${name}.json`), "--id", name).status).toBe(0);
});

describe("add", () => {
  it("copies a verified package, and answers the same for the same bytes", () => {
    const added = add("1.0.0", "--alias", "champion", "--by", "Ada", "--why", "the first");
    expect(added).toMatchObject({ status: 0, stderr: "" });
    expect(added.stdout).toMatch(
      /^digits 1\.0\.0, digest [0-9a-f]{16}: added to .*\ndigits@champion, release 1: 1\.0\.0\n$/,
    );
    expect(insitu("verify", at("digits/1.0.0")).status).toBe(0);
    expect(parseChannel(readFileSync(at("digits/champion.json"), "utf8"), "x")).toMatchObject({
      model: "digits",
      arms: [{ package: "./1.0.0/", role: "stable", version: "1.0.0" }],
    });
    expect(add("1.0.0").stdout).toContain("already in");
    expect(readJson(at("index.json"))).toMatchObject({
      insituRegistry: 1,
      models: [
        {
          name: "digits",
          aliases: { champion: "1.0.0" },
          versions: [{ version: "1.0.0", addedBy: "Ada", metrics: { accuracy: 0.9 } }],
        },
      ],
    });
  });

  it("refuses other bytes under a version, also with another signature, and changes nothing", () => {
    add("1.0.0");
    const before = readFileSync(at("digits/1.0.0/insitu.json"));
    for (const changes of [
      { metrics: { accuracy: 1 } },
      { signatures: [{ keyId: "x", algorithm: "Ed25519", signature: "AAAA" }] },
    ]) {
      const other = writeVersion(join(rooms.root, `other-${Math.random()}`), "1.0.0", {
        ...readJson(join(version("1.0.0"), "insitu.json")),
        ...changes,
      });
      expect(registry("add", other)).toMatchObject({
        status: 1,
        stderr: expect.stringContaining("a version never changes"),
      });
    }
    expect(readFileSync(at("digits/1.0.0/insitu.json"))).toEqual(before);
  });

  it("refuses a damaged package, one without the signature that is asked for, and a folder without one", () => {
    const damaged = writeVersion(join(rooms.root, `damaged-${Math.random()}`), "1.0.0");
    flip(join(damaged, "weights.bin"), 5);
    expect(registry("add", damaged)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("differs from the manifest"),
    });
    expect(add("1.0.0", "--key", join(rooms.root, "key.public.json")).stderr).toContain("it is not signed");
    expect(registry("add", rooms.root).stderr).toContain("it has no insitu.json");
    expect(existsSync(at("digits/1.0.0"))).toBe(false);
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ["a device of Windows as a model", { name: "con" }, /is a device on Windows/],
    ["a model that ends with a dot", { name: "digits." }, /ends with a dot/],
    ["build metadata", { version: "1.0.0+linux" }, /build metadata/],
    ["a version in other capitals", { version: "1.2.0-RC.1" }, /where capitals do not count/],
    ["a model in other capitals", { name: "Digits" }, /where capitals do not count/],
  ])("refuses %s", (_what, changes, message) => {
    add("1.2.0-rc.1");
    const odd = writeVersion(join(rooms.root, `odd-${Math.random()}`), "1.2.0", changes);
    expect(registry("add", odd)).toMatchObject({ status: 1, stderr: expect.stringMatching(message) });
  });

  it("completes an addition that was cut off", () => {
    add("1.0.0");
    rmSync(at("digits/1.0.0/insitu.json"));
    rmSync(at("digits/1.0.0/weights.bin"));
    expect(registry("list").stdout).toContain("digits");
    expect(add("1.0.0").stdout).toContain("added to");
    expect(insitu("verify", at("digits/1.0.0")).status).toBe(0);
  });
});

describe("alias, list, history, diff", () => {
  beforeEach(() => {
    for (const name of ["1.0.0", "1.1.0", "1.10.0", "1.2.0-rc.1"]) expect(add(name, "--by", "Ada").status).toBe(0);
  });

  it("moves an alias with a higher release each time, and tells who and why", () => {
    registry("alias", "digits@champion", "1.0.0");
    registry("alias", "digits@challenger", "1.1.0");
    const moved = registry("alias", "digits@champion", "challenger", "--by", "Eve", "--why", "better");
    expect(moved.stdout).toBe("digits@champion, release 2: 1.1.0\n");
    expect(registry("history", "digits@champion").stdout).toMatch(
      /alias +digits@champion +2 +stable 1\.1\.0 100 % +Eve +better\n$/,
    );
    const all = JSON.parse(registry("history", "--json").stdout);
    expect(all.map(({ action }: { action: string }) => action)).toEqual([
      "add",
      "add",
      "add",
      "add",
      "alias",
      "alias",
      "alias",
    ]);
    expect(registry("list").stdout).toMatch(/1\.1\.0 +1 +123\.9 kB +challenger, champion +accuracy 0\.95/);
    // By semantic version, not by letters.
    expect(
      JSON.parse(registry("list", "--json").stdout).models[0].versions.map((one: { version: string }) => one.version),
    ).toEqual(["1.10.0", "1.2.0-rc.1", "1.1.0", "1.0.0"]);
  });

  it("signs aliases, and leaves none unsigned that was signed", () => {
    const sign = ["--sign", join(rooms.root, "key.json")];
    expect(registry("alias", "digits@champion", "1.0.0", ...sign).status).toBe(0);
    expect(readJson(at("digits/champion.json")).signatures[0].keyId).toBe("key");
    expect(registry("alias", "digits@champion", "1.1.0")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("Pass --sign"),
    });
    expect(registry("alias", "digits@champion", "1.1.0", ...sign).status).toBe(0);
  });

  it.each<[string, string[], RegExp]>([
    ["a version that is not there", ["alias", "digits@champion", "9.0.0"], /is not a package in/],
    ["an alias of nothing", ["alias", "digits@champion", "best"], /has no version and no alias best/],
    ["the name of the channel", ["alias", "digits@channel", "1.0.0"], /cannot be an alias/],
    ["a name that leaves the folder", ["alias", "digits@../x", "1.0.0"], /cannot be an alias/],
    ["a model that leaves the folder", ["alias", "..@champion", "1.0.0"], /is not a name/],
    ["no alias", ["alias", "digits", "1.0.0"], /is not an alias/],
    ["a history of nothing", ["history", "letters"], /has no model letters/],
  ])("refuses %s", (_what, [command = "", ...args], message) => {
    expect(registry(command, ...args)).toMatchObject({ status: 1, stdout: "", stderr: expect.stringMatching(message) });
  });

  it("compares versions, aliases and folders", () => {
    registry("alias", "digits@champion", "1.0.0");
    const { stdout } = registry("diff", "digits@champion", "digits@1.1.0");
    expect(stdout).toMatch(/metric accuracy +0\.9 +0\.95 +\+0\.05 \(\+5\.6 %\)/);
    expect(stdout).not.toContain("output");
    expect(registry("diff", "digits/1.0.0", version("1.0.0")).stdout).toContain("have the same digest");
    const wide = writeVersion(join(rooms.root, `wide-${Math.random()}`), "2.0.0", {
      task: { kind: "classification", labels: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "nine"] },
      selfTest: [
        {
          input: "self-test-1.input.json",
          outputs: "self-test-1.outputs.json",
          tolerance: { webgpu: 0.02, wasm: 1e-4, cpu: 1e-4 },
        },
      ],
    });
    const changed = registry("diff", "digits@champion", wide).stdout;
    expect(changed).toMatch(/labels +10 +10 +without 9, with nine/);
    expect(changed).toMatch(/self-test tolerance webgpu +1e-2 +2e-2/);
    expect(registry("diff", "digits@champion", "nowhere")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("is not a package"),
    });
  });
});

describe("a channel in a registry", () => {
  it("moves the aliases that exist, and writes the index", () => {
    add("1.0.0", "--alias", "champion");
    add("1.1.0", "--alias", "challenger");
    add("1.10.0");
    insitu("channel", "start", at("digits"), "--stable", "1.0.0", "--canary", "1.10.0");
    expect(readJson(at("index.json")).models[0]).toMatchObject({
      aliases: { champion: "1.0.0", challenger: "1.10.0" },
      channel: { arms: [{ percent: 95 }, { percent: 5 }] },
    });
    expect(insitu("channel", "promote", at("digits")).stdout).toContain("digits@champion: 1.10.0");
    insitu("channel", "rollback", at("digits"));
    expect(readJson(at("index.json")).models[0].aliases.champion).toBe("1.0.0");
    expect(registry("history", "digits").stdout).toMatch(/rollback +digits channel +3 +stable 1\.0\.0 100 %/);
  });
});

describe("gc", () => {
  const versions = () =>
    readdirSync(at("digits"))
      .filter((name) => /^\d/.test(name))
      .sort();

  beforeEach(() => {
    for (const name of ["1.0.0", "1.1.0", "1.2.0-rc.1", "1.10.0"]) add(name);
    registry("alias", "digits@champion", "1.0.0");
  });

  it("lists what would go, and removes it only with --delete", () => {
    const listed = registry("gc", "--keep", "1", "--min-age", "0s");
    expect(listed.stdout).toMatch(/digits 1\.1\.0 +123\.9 kB +would go +nothing names it/);
    expect(listed.stdout).toContain("2 would be removed");
    expect(listed.stdout).toMatch(/digits 1\.0\.0 +123\.9 kB +kept +champion/);
    expect(versions()).toHaveLength(4);
    expect(registry("gc", "--delete", "--keep", "1").stdout).toContain("added lately");
    expect(registry("gc", "--delete", "--keep", "1", "--min-age", "0s").stdout).toContain("2 removed");
    expect(versions()).toEqual(["1.0.0", "1.10.0"]);
    expect(readJson(at("index.json")).models[0].versions).toHaveLength(2);
    expect(registry("gc", "--delete", "--dry-run").status).toBe(2);
  });

  it("keeps what a channel runs and would go back to", () => {
    insitu("channel", "start", at("digits"), "--stable", "1.0.0", "--canary", "1.1.0", "--shadow", "1.2.0-rc.1");
    insitu("channel", "promote", at("digits"));
    registry("alias", "digits@champion", "1.10.0");
    const { stdout } = registry("gc", "--keep", "0", "--min-age", "0s");
    expect(stdout).toMatch(/digits 1\.1\.0 +\S+ kB +kept +champion, to roll back to; channel\n/);
    expect(stdout).toMatch(/digits 1\.0\.0 +\S+ kB +kept +(champion|channel), to roll back to/);
    expect(stdout).toMatch(/digits 1\.2\.0-rc\.1 +\S+ kB +kept +channel/);
    // Each reason that there is.
    expect(registry("gc", "--keep", "1").stdout).toMatch(
      /digits 1\.10\.0 .* kept +champion; one of the newest 1; added lately/,
    );
  });

  it("never gives a removed version to other bytes", () => {
    registry("gc", "--delete", "--keep", "0", "--min-age", "0s");
    const other = writeVersion(join(rooms.root, `late-${Math.random()}`), "1.1.0", { metrics: { accuracy: 0 } });
    expect(registry("add", other).stderr).toContain("a version never changes");
    expect(add("1.1.0").stdout).toContain("added to");
    expect(registry("history", "digits").stdout).toMatch(/remove +digits 1\.1\.0/);
  });

  it("removes nothing while an alias cannot be read", () => {
    rmSync(at("digits/history/champion"), { recursive: true });
    writeFileSync(at("digits/champion.json"), "{");
    const refused = registry("gc", "--delete", "--keep", "0", "--min-age", "0s");
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining("Nothing was removed") });
    expect(versions()).toHaveLength(4);
  });

  it("clears an addition that was never finished, whose version is free again", () => {
    rmSync(at("digits/1.1.0/insitu.json"));
    expect(registry("gc", "--delete", "--keep", "9", "--min-age", "0s").stdout).toMatch(
      /1\.1\.0 .*removed +was never finished/,
    );
    const other = writeVersion(join(rooms.root, `free-${Math.random()}`), "1.1.0", { metrics: { accuracy: 0 } });
    expect(registry("add", other).stdout).toContain("added to");
  });
});

describe("in a bucket", () => {
  let s3: S3Server;
  let env: Record<string, string>;
  const run = (...args: string[]) => startInsitu(args, env).done;

  beforeAll(async () => {
    s3 = await startS3();
    env = {
      AWS_ENDPOINT_URL_S3: s3.url,
      AWS_ACCESS_KEY_ID: "id",
      AWS_SECRET_ACCESS_KEY: "secret",
      INSITU_REGISTRY: `s3://${s3.bucket}/registry`,
    };
  });
  afterAll(() => s3.close());
  beforeEach(() => s3.objects.clear());

  it("does all of it by the AWS SDK: add, alias, channel, list, gc", async () => {
    expect(await run("registry", "add", version("1.0.0"), "--alias", "champion")).toMatchObject({
      status: 0,
    });
    expect(await run("registry", "add", version("1.1.0"))).toMatchObject({ status: 0 });
    expect(await run("registry", "add", version("1.10.0"))).toMatchObject({ status: 0 });
    const channel = `s3://${s3.bucket}/registry/digits`;
    expect(await run("channel", "start", channel, "--stable", "1.0.0", "--canary", "1.1.0")).toMatchObject({
      status: 0,
    });
    expect((await run("channel", "promote", `${channel}/channel.json`)).stdout).toContain("digits@champion: 1.1.0");
    expect((await run("registry", "list")).stdout).toMatch(/1\.1\.0 .*champion, stable 100 %/);
    expect((await run("registry", "gc", "--delete", "--keep", "0", "--min-age", "0s")).stdout).toContain("1 removed");
    const keys = [...s3.objects.keys()];
    expect(keys.filter((key) => key.startsWith("registry/digits/1.10.0/"))).toEqual([]);
    expect(keys).toEqual(
      expect.arrayContaining(["registry/index.json", "registry/index.html", "registry/digits/1.1.0/weights.bin"]),
    );
    expect(JSON.parse(s3.objects.get("registry/index.json")?.toString() ?? "").models[0].aliases).toEqual({
      champion: "1.1.0",
    });
  });

  it("loses no release of ten publishers at once", async () => {
    await run("registry", "add", version("1.0.0"));
    const done = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        run("registry", "alias", "digits@champion", "1.0.0", "--why", `publisher ${index}`),
      ),
    );
    expect(done.map(({ status }) => status)).toEqual(Array(10).fill(0));
    const records = [...s3.objects.keys()].filter((key) => key.includes("/history/champion/"));
    expect(records).toHaveLength(10);
    expect(JSON.parse(s3.objects.get("registry/digits/champion.json")?.toString() ?? "").release).toBe(10);
    expect(JSON.parse(s3.objects.get("registry/index.json")?.toString() ?? "").models[0].history).toHaveLength(11);
  });

  it("takes a write whose answer was lost for its own", async () => {
    await run("registry", "add", version("1.0.0"));
    s3.counts.PUT = 0;
    // The probe of the bucket is the first, the record of the release the second.
    s3.dropAfter = 2;
    expect(await run("registry", "alias", "digits@champion", "1.0.0")).toMatchObject({
      status: 0,
      stdout: "digits@champion, release 1: 1.0.0\n",
    });
    expect([...s3.objects.keys()].filter((key) => key.includes("/history/champion/"))).toHaveLength(1);
  });

  it("passes on what the store said, and asks for a registry", async () => {
    const denied = await startInsitu(["registry", "list", "--registry", "s3://elsewhere/x"], env).done;
    expect(denied).toMatchObject({ status: 1, stderr: expect.stringContaining("NoSuchBucket") });
    expect((await insituAsync("registry", "list")).status).toBe(2);
  });
});
