// Aliases whose version is gone: removed by gc at the same moment, or by hand. Real stores; a hook chooses the moment.
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { setAlias } from "../../../src/cli/registry/alias.js";
import { readCatalogue } from "../../../src/cli/registry/catalogue.js";
import { collectGarbage } from "../../../src/cli/registry/gc.js";
import { FolderStore } from "../../../src/cli/store/folder-store.js";
import { insitu } from "../../support/cli.js";
import { useRegistry } from "../../support/registry-room.js";
import { readJson, writeVersion } from "../../support/versions.js";

const { rooms, registry, at } = useRegistry();
const CHAMPION = { model: "digits", alias: "champion" };
const WHO = { by: "Ada", why: "test" };
const GC = { keep: 0, minAge: 0, delete: true, ...WHO };

/** A folder that calls `hook` once, before or after the first write or removal of a key. */
class HookedStore extends FolderStore {
  #hook: (() => Promise<unknown>) | undefined;
  readonly #when: { before?: RegExp; after?: RegExp };

  constructor(when: { before?: RegExp; after?: RegExp }, hook: () => Promise<unknown>) {
    super(rooms.folder);
    this.#when = when;
    this.#hook = hook;
  }

  override async create(...args: Parameters<FolderStore["create"]>): Promise<boolean> {
    return this.#around(`create ${args[0]}`, () => super.create(...args));
  }

  override async remove(key: string): Promise<void> {
    return this.#around(`remove ${key}`, () => super.remove(key));
  }

  async #around<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (this.#when.before?.test(what)) await this.#call();
    const result = await work();
    if (this.#when.after?.test(what)) await this.#call();
    return result;
  }

  async #call(): Promise<void> {
    const hook = this.#hook;
    this.#hook = undefined;
    await hook?.();
  }
}

const folder = () => new FolderStore(rooms.folder);
const REMOVAL = /^remove digits\/1\.1\.0\/insitu\.json$/;
const RELEASE = /^create digits\/history\/champion\//;

beforeAll(() => {
  for (const name of ["1.0.0", "1.1.0"]) writeVersion(join(rooms.root, "packages"), name);
});

beforeEach(() => {
  for (const name of ["1.0.0", "1.1.0"]) expect(registry("add", join(rooms.root, "packages", name)).status).toBe(0);
});

describe("gc beside an alias", () => {
  it("has removed the version: the alias goes back to what it was, with a higher release", async () => {
    await setAlias(folder(), CHAMPION, "1.0.0", WHO);
    const store = new HookedStore({ after: RELEASE }, async () => rmSync(at("digits/1.1.0"), { recursive: true }));
    await expect(setAlias(store, CHAMPION, "1.1.0", WHO)).rejects.toThrow(
      /1\.1\.0 was removed .* champion is 1\.0\.0 again/,
    );
    expect(readJson(at("digits/champion.json"))).toMatchObject({ release: 3, arms: [{ version: "1.0.0" }] });
    expect((await readCatalogue(folder())).models[0]?.missing).toEqual([]);
  });

  it("has removed the version of a new alias: there is no alias, and the next one is made", async () => {
    const store = new HookedStore({ after: RELEASE }, async () => rmSync(at("digits/1.1.0"), { recursive: true }));
    await expect(setAlias(store, CHAMPION, "1.1.0", WHO)).rejects.toThrow(/1\.1\.0 was removed .* was not set/);
    expect(existsSync(at("digits/champion.json"))).toBe(false);
    expect(registry("alias", "digits@champion", "1.0.0").status).toBe(0);
    expect(readJson(at("digits/champion.json")).arms).toMatchObject([{ version: "1.0.0" }]);
  });

  it("has removed it, and another publisher was faster with another version: that one stays", async () => {
    await setAlias(folder(), CHAMPION, "1.0.0", WHO);
    const store = new HookedStore({ after: RELEASE }, async () => {
      rmSync(at("digits/1.1.0"), { recursive: true });
      // Whole with its file: the first publisher is slow.
      await setAlias(folder(), CHAMPION, "1.0.0", { by: "Eve" });
    });
    await expect(setAlias(store, CHAMPION, "1.1.0", WHO)).rejects.toThrow("was removed");
    expect(readJson(at("digits/champion.json"))).toMatchObject({ release: 3, arms: [{ version: "1.0.0" }] });
    expect(readdirSync(at("digits/history/champion"))).toHaveLength(3);
  });

  it("is about to remove it: it sees the alias, and leaves the version whole", async () => {
    await setAlias(folder(), CHAMPION, "1.0.0", WHO);
    const files = readdirSync(at("digits/1.1.0")).sort();
    const store = new HookedStore({ before: REMOVAL }, () => setAlias(folder(), CHAMPION, "1.1.0", WHO));
    const items = await collectGarbage(store, GC);
    expect(items.find(({ version }) => version === "1.1.0")?.keptBy).toContain("meanwhile");
    expect(readdirSync(at("digits/1.1.0")).sort()).toEqual(files);
    expect(insitu("verify", at("digits/1.1.0")).status).toBe(0);
    expect(registry("history", "digits").stdout).not.toContain("remove");
    expect(registry("list")).toMatchObject({ status: 0, stderr: "" });
  });
});

describe("a champion whose folder is gone", () => {
  beforeEach(() => {
    registry("alias", "digits@champion", "1.1.0");
    insitu("channel", "start", at("digits"), "--stable", "1.0.0", "--canary", "1.1.0");
    rmSync(at("digits/1.1.0"), { recursive: true });
  });

  it("is told by list, by the index and by its page, and gc still works", () => {
    for (const args of [[], ["--json"]])
      expect(registry("list", ...args)).toMatchObject({
        status: 0,
        stderr: expect.stringMatching(
          /^Note: digits@champion names 1\.1\.0, whose package is gone\. Add .*\nNote: The channel of digits names 1\.1\.0/,
        ),
      });
    // Any command that writes the index.
    expect(registry("alias", "digits@challenger", "1.0.0").stderr).toContain("digits@champion names 1.1.0");
    expect(readJson(at("index.json")).models[0].missing).toEqual([
      { name: "champion", version: "1.1.0" },
      { name: "channel", version: "1.1.0" },
    ]);
    expect(readFileSync(at("index.html"), "utf8")).toContain("digits@champion names 1.1.0");
    const gc = registry("gc", "--delete", "--keep", "0", "--min-age", "0s");
    expect(gc).toMatchObject({ status: 0, stdout: expect.stringMatching(/1\.1\.0 .* kept +champion; channel\n/) });
  });

  it("is whole again when the package is added again", () => {
    expect(registry("add", join(rooms.root, "packages", "1.1.0"))).toMatchObject({ status: 0, stderr: "" });
    expect(readJson(at("index.json")).models[0].missing).toBeUndefined();
  });
});
