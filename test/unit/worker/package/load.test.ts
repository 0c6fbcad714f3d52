// Loads of a real package from a real host: from the network or the store, and never one that is not what it says.
import { describe, expect, it } from "vitest";
import { InsituError } from "../../../../src/shared/errors.js";
import type { LoadProgress } from "../../../../src/shared/types/model.js";
import { throttleProgress } from "../../../../src/worker/package/progress.js";
import { failure } from "../../../support/chunked.js";
import { bytesOf, lasting, useLoading } from "../../../support/loading.js";
import { editManifest, pack, publish, weightsOf } from "../../../support/published.js";

const at = useLoading();

describe("a package", () => {
  it("comes from the network first, and from the store without a request after that", async () => {
    const cold = await at.load();
    expect(cold).toMatchObject({ source: "network", manifest: { release: 1 } });
    expect(cold.storeError).toBeUndefined();
    expect(cold.model.weightFiles).toEqual(["w.bin", "b.bin"]);
    expect(cold.bytes).toEqual(weightsOf(at.site));
    expect(at.asked().sort()).toEqual(["b.bin", "insitu.json", "model.json", "w.bin"]);
    const warm = await at.load();
    expect(warm).toMatchObject({ source: "cache", digest: cold.digest });
    expect(warm.bytes).toEqual(weightsOf(at.site));
    expect(at.asked()).toEqual([]);
    expect(at.events).toEqual([
      { type: "miss", url: at.url(), reason: "it is not stored" },
      { type: "hit", url: at.url(), digest: cold.digest },
    ]);
  });

  it("tells its progress forward only, phase by phase, up to the package's size", async () => {
    for (const source of ["network", "cache"]) {
      at.progress.length = 0;
      const shown: LoadProgress[] = [];
      const show = throttleProgress((step) => void shown.push(step));
      const loaded = await at.load({
        onProgress: (step) => {
          at.progress.push(step);
          show(step);
        },
      });
      expect(loaded.source).toBe(source);
      const total = loaded.manifest.files.reduce((sum, { size }) => sum + size, 0);
      const phases = ["download", "verify", "store"].filter((phase) =>
        at.progress.some((step) => step.phase === phase),
      );
      expect(phases).toEqual(source === "network" ? ["download", "verify", "store"] : ["verify"]);
      const order = at.progress.map(({ phase, loaded: bytes }) => phases.indexOf(phase) * 1e9 + bytes);
      expect(order).toEqual([...order].sort((a, b) => a - b));
      // Storing goes on after the load.
      for (const phase of ["download", "verify"].filter((name) => phases.includes(name)))
        expect(shown.filter((step) => step.phase === phase).at(-1)?.loaded).toBe(total);
      expect(at.progress.every((step) => step.total === total && step.loaded <= total)).toBe(true);
    }
  });

  it("can be read again, for a second backend", async () => {
    const cold = await at.load();
    at.asked();
    expect(await bytesOf(cold)).toEqual(weightsOf(at.site));
    expect(at.asked()).toEqual([]);
  });

  it("brings its self-tests, from the network and from the store, mended where they are damaged", async () => {
    const x = { dtype: "float32", shape: [1, 2], data: "AACAPwAAAEA=" };
    publish(at.site, "in.json", { "x:0": x });
    publish(at.site, "out.json", { "y:0": { dtype: "float32", shape: [1, 300], stride: 300, data: "AABAQA==" } });
    editManifest(at.site, (manifest) =>
      Object.assign(manifest, { selfTest: [{ input: "in.json", outputs: "out.json" }] }),
    );
    const right = {
      inputs: { "x:0": { data: new Float32Array([1, 2]), shape: [1, 2], dtype: "float32" } },
      outputs: { "y:0": { data: new Float32Array([3]), shape: [1, 300], dtype: "float32", stride: 300, unstable: [] } },
      tolerance: { webgpu: 1e-2, wasm: 1e-4, cpu: 1e-4 },
    };
    for (const source of ["network", "cache"]) {
      const loaded = await at.load();
      expect(loaded.source).toBe(source);
      expect(loaded.bytes).toEqual(weightsOf(at.site));
      at.asked();
      expect(await loaded.selfTests()).toEqual([right]);
      expect(await loaded.selfTests()).toEqual([right]);
      expect(at.asked()).toEqual([]);
    }
    const { read } = at.database;
    const loaded = await at.load();
    const damaged = loaded.manifest.files.find(({ path }) => path === "out.json")?.sha256;
    at.database = { ...at.database, read: async (spec) => (spec.sha256 === damaged ? "corrupt" : read(spec)) };
    expect(await (await at.load()).selfTests()).toEqual([right]);
    expect(at.asked()).toEqual(["out.json"]);
  });

  it("has no self-tests unless it names some, and a wrong one is refused when it is read", async () => {
    expect(await (await at.load()).selfTests()).toEqual([]);
    at.site = await pack({ release: 2 });
    publish(at.site, "in.json", { "x:0": 1 });
    editManifest(at.site, (manifest) =>
      Object.assign(manifest, { selfTest: [{ input: "in.json", outputs: "in.json" }] }),
    );
    const loaded = await at.load({}, true);
    await expect(loaded.selfTests()).rejects.toMatchObject({
      code: "model_format",
      data: { url: `${at.url()}in.json`, field: "x:0" },
    });
  });

  it("that cannot be stored is loaded all the same, and says why", async () => {
    const full = lasting();
    const quota = new InsituError("storage_quota", "the disk is full");
    at.database = { ...full, put: () => Promise.reject(quota) };
    const loaded = await at.load();
    expect(loaded).toMatchObject({ source: "network", storeError: quota });
    expect(loaded.bytes).toEqual(weightsOf(at.site));
    expect(at.events.at(-1)).toMatchObject({ type: "unavailable", code: "storage_quota" });
    expect(await full.list()).toEqual([]);
  });

  it("without a store that works is loaded from memory, and says why", async () => {
    at.database = {
      ...at.database,
      versions: () => Promise.reject(new InsituError("storage_unavailable", "no IndexedDB")),
    };
    const loaded = await at.load();
    expect(loaded).toMatchObject({ source: "network", storeError: { code: "storage_unavailable" } });
    expect(loaded.bytes).toEqual(weightsOf(at.site));
    expect(at.events[0]).toMatchObject({ type: "unavailable" });
  });

  it("whose load is aborted is `aborted`, and loads well the next time without what had come", async () => {
    const stop = new AbortController();
    const { answer } = at.host;
    at.host.answer = (req, res, count) => {
      if (req.url?.endsWith("b.bin")) stop.abort();
      else answer(req, res, count);
    };
    expect(await failure(at.load({ signal: stop.signal }))).toMatchObject({ code: "aborted" });
    at.host.answer = answer;
    expect((await at.load()).bytes).toEqual(weightsOf(at.site));
    expect(await at.database.list()).toHaveLength(1);
  });
});

describe("a package that is not what it says", () => {
  const flip = (path: string) => {
    const bytes = at.site.get(path)?.slice() as Uint8Array<ArrayBuffer>;
    bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
    at.site.set(path, bytes);
  };

  it.each(["w.bin", "b.bin", "model.json"])("by one bit of %s is refused, and not kept", async (path) => {
    flip(path);
    expect(await failure(at.load())).toMatchObject({ code: "model_integrity", data: { url: `${at.url()}${path}` } });
    expect(await at.database.list()).toEqual([]);
    expect(await at.database.floor(at.url())).toBeUndefined();
  });

  it("because files of two releases were mixed is refused", async () => {
    const next = await pack({ release: 2 });
    at.site = new Map([...next, ["b.bin", at.site.get("b.bin") as Uint8Array<ArrayBuffer>]]);
    expect(await failure(at.load())).toMatchObject({ code: "model_integrity" });
    expect(await at.database.list()).toEqual([]);
  });

  it("because the next release was published between manifest and shards is that next release", async () => {
    const next = await pack({ release: 2 });
    const { answer } = at.host;
    at.host.answer = (req, res, count) => {
      if (count === 1) at.site = next;
      answer(req, res, count);
    };
    const loaded = await at.load();
    expect(loaded).toMatchObject({ source: "network", manifest: { release: 2 } });
    expect(loaded.bytes).toEqual(weightsOf(next));
    expect((await at.database.list()).map(({ release }) => release)).toEqual([2]);
  });

  it("because the next release, published meanwhile, has no such file any more is that next release", async () => {
    const next = await pack({ release: 2 });
    const { answer } = at.host;
    at.host.answer = (req, res, count) => {
      if (count === 1) at.site = new Map([...next].filter(([path]) => path !== "b.bin"));
      if (count === 4) at.site = next;
      answer(req, res, count);
    };
    // Once the files of the release that is gone are asked for, the host answers 404; then the new one is all there.
    expect(await at.load().catch(() => at.load())).toMatchObject({ manifest: { release: 2 } });
    expect((await at.database.list()).map(({ release }) => release)).toEqual([2]);
  });

  it("because another model stands at the address is refused", async () => {
    await at.load();
    at.site = await pack({ release: 2, name: "other" });
    expect(await failure(at.load({}, true))).toMatchObject({
      code: "model_integrity",
      data: { expected: "tiny", actual: "other" },
    });
    expect((await at.load()).manifest.name).toBe("tiny");
  });

  it("in the store is fetched again", async () => {
    await at.load();
    const [row] = await at.database.versions(at.url());
    const before = at.database;
    for (const text of [row?.text.replace('"tiny"', '"Tiny"'), row?.text.slice(1), "[".repeat(10_000)]) {
      at.database = {
        ...before,
        versions: async () => [{ ...(row as NonNullable<typeof row>), text: text as string }],
      };
      expect((await at.load()).bytes).toEqual(weightsOf(at.site));
      expect(at.events.at(-1)).toMatchObject({ type: "miss" });
    }
  });
});
