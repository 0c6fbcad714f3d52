// Many publishers of one registry at once, publishers that are killed, and registries that somebody prepared.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { insitu, startInsitu } from "../../support/cli.js";
import { useRooms } from "../../support/packages.js";
import { readJson, writeVersion } from "../../support/versions.js";

const rooms = useRooms();
const at = (path: string) => join(rooms.folder, path);
const PUBLISHERS = 20;

const version = (name: string) => join(rooms.root, "packages", name);
const start = (...args: string[]) => startInsitu([...args, "--registry", rooms.folder]);
const registry = (command: string, ...args: string[]) =>
  insitu("registry", command, ...args, "--registry", rooms.folder);

beforeAll(() => {
  for (let index = 0; index < PUBLISHERS; index++) writeVersion(join(rooms.root, "packages"), `1.${index}.0`);
});

const leftOvers = () =>
  readdirSync(rooms.folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".tmp"));

describe("20 publishers at once", () => {
  it("add 20 versions: all are there, whole and in the index", async () => {
    const done = await Promise.all(
      Array.from(
        { length: PUBLISHERS },
        (_, index) => start("registry", "add", version(`1.${index}.0`), "--alias", "challenger").done,
      ),
    );
    expect(done.map(({ status, stderr }) => ({ status, stderr }))).toEqual(
      Array(PUBLISHERS).fill({ status: 0, stderr: "" }),
    );
    const [model] = readJson(at("index.json")).models;
    expect(model.versions).toHaveLength(PUBLISHERS);
    expect(readdirSync(at("digits/history/challenger"))).toHaveLength(PUBLISHERS);
    expect(readJson(at("digits/challenger.json")).release).toBe(PUBLISHERS);
    // The alias is that of the last release, not of the last write.
    const last = readJson(at(`digits/history/challenger/${String(PUBLISHERS).padStart(16, "0")}.json`));
    expect(readFileSync(at("digits/challenger.json"), "utf8")).toBe(last.text);
    expect(readFileSync(at("index.html"), "utf8")).toContain(`release ${PUBLISHERS}`);
    for (const { version: name } of model.versions) expect(existsSync(at(`digits/${name}/weights.bin`))).toBe(true);
    expect(leftOvers()).toEqual([]);
  });

  it("add other bytes under one version: one wins, the others are refused, nothing is mixed", async () => {
    const packages = Array.from({ length: PUBLISHERS }, (_, index) =>
      writeVersion(join(rooms.root, `rivals-${index}`), "2.0.0", { metrics: { publisher: index } }),
    );
    const done = await Promise.all(packages.map((folder) => start("registry", "add", folder).done));
    const winners = done.flatMap(({ status }, index) => (status === 0 ? [index] : []));
    expect(winners).toHaveLength(1);
    for (const [index, { stderr }] of done.entries())
      if (index !== winners[0]) expect(stderr).toContain("a version never changes");
    expect(readJson(at("digits/2.0.0/insitu.json")).metrics.publisher).toBe(winners[0]);
    expect(insitu("verify", at("digits/2.0.0")).status).toBe(0);
  });

  it("raise one canary: each release is one of them, and the shares only grow", async () => {
    for (const name of ["1.0.0", "1.1.0"]) registry("add", version(name));
    insitu("channel", "start", at("digits"), "--stable", "1.0.0", "--canary", "1.1.0", "--weight", "1");
    const done = await Promise.all(
      Array.from(
        { length: PUBLISHERS },
        (_, index) => startInsitu(["channel", "raise", at("digits"), "--to", String(2 + index)]).done,
      ),
    );
    const records = readdirSync(at("digits/history/channel")).sort();
    const made = done.filter(({ status }) => status === 0).length;
    expect(records).toHaveLength(1 + made);
    const shares = records.map(
      (name) => JSON.parse(readJson(at(`digits/history/channel/${name}`)).text).arms[1].weight,
    );
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares.at(-1)).toBe(1 + PUBLISHERS);
    for (const { status, stderr } of done) if (status !== 0) expect(stderr).toMatch(/has \d+ % already/);
    expect(readJson(at("digits/channel.json"))).toMatchObject({ release: 1 + made });
  });
});

describe("publishers that are killed", () => {
  it("leave a registry that the next command completes", async () => {
    registry("add", version("1.0.0"), "--alias", "champion");
    let killed = 0;
    // From the start of the process to its end, in steps that hit each of its writes.
    for (let delay = 60; delay < 420; delay += 12) {
      const name = `1.${1 + (killed % 5)}.0`;
      const { process: child, done } = start("registry", "add", version(name), "--alias", "champion");
      const timer = setTimeout(() => child.kill("SIGKILL"), delay);
      const { status } = await done;
      clearTimeout(timer);
      if (status === null) killed += 1;
      // Whatever it left: what looks like a version is one, and the alias names one.
      const alias = readJson(at("digits/champion.json"));
      expect(existsSync(join(at("digits"), alias.arms[0].package, "insitu.json"))).toBe(true);
    }
    expect(killed).toBeGreaterThan(5);
    expect(registry("alias", "digits@champion", "1.0.0")).toMatchObject({ status: 0, stderr: "" });
    const releases = readdirSync(at("digits/history/champion")).sort();
    expect(readJson(at("digits/champion.json")).release).toBe(releases.length);
    expect(leftOvers()).toEqual([]);
    const list = registry("list", "--json");
    expect(list.stderr).toBe("");
    expect(`${list.stdout.trim()}\n`).toBe(readFileSync(at("index.json"), "utf8"));
    for (let index = 1; index <= 5; index++) expect(registry("add", version(`1.${index}.0`)).status).toBe(0);
    for (let index = 0; index <= 5; index++) expect(insitu("verify", at(`digits/1.${index}.0`)).status).toBe(0);
  });
});

describe("a registry that somebody prepared", () => {
  it("is not left by symbolic links", () => {
    registry("add", version("1.0.0"));
    const outside = join(rooms.root, `outside-${Math.random()}`);
    mkdirSync(outside);
    writeFileSync(join(outside, "victim.json"), "mine");
    symlinkSync(outside, at("letters"));
    symlinkSync(outside, at("digits/2.0.0"));
    symlinkSync(join(outside, "victim.json"), at("digits/champion.json"));
    expect(registry("list").stdout).not.toContain("letters");
    expect(registry("alias", "digits@champion", "1.0.0")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("symbolic link"),
    });
    const two = writeVersion(join(rooms.root, `two-${Math.random()}`), "2.0.0");
    expect(registry("add", two)).toMatchObject({ status: 1, stderr: expect.stringContaining("symbolic link") });
    const letters = writeVersion(join(rooms.root, `letters-${Math.random()}`), "1.0.0", { name: "letters" });
    expect(registry("add", letters)).toMatchObject({ status: 1 });
    expect(readdirSync(outside)).toEqual(["victim.json"]);
    expect(readFileSync(join(outside, "victim.json"), "utf8")).toBe("mine");
  });

  it("cannot lie by its index, which is written again", () => {
    registry("add", version("1.0.0"));
    for (const text of [
      "{",
      "[]",
      "null",
      '{"insituRegistry":1,"models":[{"name":"../../etc","versions":[{"version":"1.0.0"}]}]}',
    ]) {
      writeFileSync(at("index.json"), text);
      expect(registry("list").stdout).toMatch(/^digits\n/);
      expect(registry("alias", "digits@champion", "1.0.0").status).toBe(0);
      expect(readJson(at("index.json")).models.map(({ name }: { name: string }) => name)).toEqual(["digits"]);
    }
  });

  it("does not fill the memory with files that are too large", () => {
    registry("add", version("1.0.0"), "--alias", "champion");
    for (const path of ["index.json", "digits/history/champion/0000000000000002.json"]) {
      writeFileSync(at(path), "");
      // Sparse: it takes no space.
      truncateSync(at(path), 2 ** 33);
    }
    mkdirSync(at("digits/9.0.0"));
    writeFileSync(at("digits/9.0.0/insitu.json"), "");
    truncateSync(at("digits/9.0.0/insitu.json"), 2 ** 33);
    const set = registry("alias", "digits@challenger", "1.0.0");
    expect(set).toMatchObject({ status: 0, stderr: expect.stringContaining("is larger than") });
    expect(statSync(at("index.json")).size).toBeLessThan(100_000);
    expect(registry("alias", "digits@champion", "1.0.0").stdout).toContain("release 3");
  });

  it("shows what a package says as text", () => {
    const evil = '<img src=x onerror="alert(1)"></table>';
    const odd = writeVersion(join(rooms.root, `evil-${Math.random()}`), "1.0.0", {
      license: evil,
      metrics: { [evil]: 1 },
    });
    expect(registry("add", odd, "--by", evil, "--why", "\u202eevil\u0007").status).toBe(0);
    const page = readFileSync(at("index.html"), "utf8");
    expect(page).not.toContain("<img");
    expect(page).toContain("&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&lt;/table&gt;");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not be there.
    expect(page).not.toMatch(/[\u0000-\u0008\u202e]/);
    expect(page).not.toContain("<script");
  });
});
