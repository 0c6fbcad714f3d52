// Which release is loaded: the newest that may be used, and never an older, an expired or an unsigned one.
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { describe, expect, it } from "vitest";
import { InsituError } from "../../../../src/shared/errors.js";
import type { FileSpec } from "../../../../src/shared/types/manifest.js";
import { canonicalBytes } from "../../../../src/worker/package/canonical-json.js";
import type { Package } from "../../../../src/worker/package/package.js";
import { failure, hashOf } from "../../../support/chunked.js";
import { bytesOf, useLoading } from "../../../support/loading.js";
import { eagerPorts } from "../../../support/ports.js";
import { editManifest, pack, weightsOf } from "../../../support/published.js";

const at = useLoading();

describe("an older release", () => {
  it("after a newer one is refused, and the newer one stays", async () => {
    const old = at.site;
    at.site = await pack({ release: 2 });
    await at.load();
    at.site = old;
    expect(await failure(at.load({}, true))).toMatchObject({
      code: "model_rollback",
      data: { release: 1, accepted: 2 },
    });
    expect((await at.load()).manifest.release).toBe(2);
  });

  it("is refused also when the newer one was deleted meanwhile", async () => {
    const old = at.site;
    at.site = await pack({ release: 2 });
    await at.load();
    await at.database.delete(at.url());
    at.site = old;
    expect(await failure(at.load())).toMatchObject({ code: "model_rollback" });
  });
});

describe("refresh", () => {
  it("brings the newer release, of which only what changed is fetched", async () => {
    await at.load();
    // Other weights in one of two files.
    const [same, other] = [await pack({ release: 2, seed: 1 }), await pack({ release: 2 })];
    const [w, b] = [same.get("w.bin"), other.get("b.bin")] as [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>];
    at.site = new Map([...other, ["w.bin", w], ["b.bin", b]]);
    editManifest(at.site, (manifest) => {
      const files = manifest.files as FileSpec[];
      manifest.files = files.map((file) => (file.path === "w.bin" ? { ...file, sha256: hashOf(w) } : file));
    });
    at.asked();
    const loaded = await at.load({}, true);
    expect(loaded).toMatchObject({ source: "network", manifest: { release: 2 } });
    expect(at.asked()).toEqual(["insitu.json", "b.bin"]);
    expect(loaded.bytes).toEqual(weightsOf(at.site));
  });

  it("of what is the newest already asks for the manifest only", async () => {
    await at.load();
    at.asked();
    expect(await at.load({}, true)).toMatchObject({ source: "cache", manifest: { release: 1 } });
    expect(at.asked()).toEqual(["insitu.json"]);
  });

  it.each(["cannot be reached", "has trouble"])("runs the stored version when the host %s", async (why) => {
    await at.load();
    if (why === "cannot be reached") await at.host.close();
    at.host.answer = (_req, res) => res.writeHead(503).end();
    const loaded = await at.load({}, true);
    expect(loaded).toMatchObject({ source: "cache", manifest: { release: 1 } });
    expect(loaded.bytes).toEqual(weightsOf(at.site));
  });

  it("does not pass over a host that answers wrongly", async () => {
    await at.load();
    at.host.answer = (_req, res) => res.end("<html></html>");
    expect(await failure(at.load({}, true))).toMatchObject({ code: "model_format" });
  });

  it("without a host and without a stored version fails as the host did", async () => {
    await at.host.close();
    expect(await failure(at.load({}, true))).toMatchObject({ code: "network" });
  });
});

describe("a package that expires", () => {
  const clock = (time: string) => ({ ports: { ...eagerPorts, now: () => Date.parse(time) } });

  it("is used until then, fetched again after, and refused while the host has no newer one", async () => {
    at.site = await pack({ release: 1, expires: "2026-06-01T00:00:00Z" });
    await at.load(clock("2026-05-31T23:59:59Z"));
    at.asked();
    expect((await at.load(clock("2026-05-31T23:59:59Z"))).source).toBe("cache");
    expect(at.asked()).toEqual([]);
    expect(await failure(at.load(clock("2026-06-01T00:00:00Z")))).toMatchObject({
      code: "model_expired",
      data: { expires: "2026-06-01T00:00:00Z", now: "2026-06-01T00:00:00.000Z" },
    });
    expect(at.asked()).toEqual(["insitu.json"]);
    at.site = await pack({ release: 2, seed: 1, expires: "2027-06-01T00:00:00Z" });
    expect(await at.load(clock("2026-06-01T00:00:00Z"))).toMatchObject({ source: "network", manifest: { release: 2 } });
    // Its chunks are there: only the manifest is new.
    expect(at.asked()).toEqual(["insitu.json"]);
  });

  it.each([false, true])("is not used when the host cannot be reached either (refresh: %s)", async (refresh) => {
    at.site = await pack({ release: 1, expires: "2026-06-01T00:00:00Z" });
    await at.load(clock("2026-05-01T00:00:00Z"));
    await at.host.close();
    const error = await failure(at.load(clock("2026-07-01T00:00:00Z"), refresh));
    expect(error).toMatchObject({ code: "model_expired", cause: { code: "network" } });
  });
});

describe("a package under trust", () => {
  const keys = ["a", "b"].map((id) => ({ id, ...generateKeyPairSync("ed25519") }));
  const publicKey = (key: KeyObject) => key.export({ type: "spki", format: "der" }).subarray(-32).toString("base64");
  const trust = { keys: keys.map((key) => ({ id: key.id, publicKey: publicKey(key.publicKey) })) };
  const signed = (ids: string[]) => {
    const bytes = canonicalBytes(new TextDecoder().decode(at.site.get("insitu.json")));
    const signers = keys.filter(({ id }) => ids.includes(id));
    const signatures = signers.map(({ id, privateKey }) => {
      const signature = sign(null, bytes, privateKey).toString("base64");
      return { keyId: id, algorithm: "Ed25519", signature };
    });
    editManifest(at.site, (manifest) => Object.assign(manifest, { signatures }));
  };

  it("that is not signed is refused before any of its files is fetched", async () => {
    expect(await failure(at.load({ trust }))).toMatchObject({
      code: "model_signature",
      data: { valid: 0, threshold: 1 },
    });
    expect(at.asked()).toEqual(["insitu.json"]);
  });

  it("that is signed is loaded, from the store too", async () => {
    signed(["a"]);
    expect((await at.load({ trust })).source).toBe("network");
    expect((await at.load({ trust })).source).toBe("cache");
    expect(await failure(at.load({ trust: { ...trust, threshold: 2 } }))).toMatchObject({ code: "model_signature" });
  });

  it("that was signed anew since it was stored is taken with the new signatures, and asked for once", async () => {
    await at.load();
    signed(["a"]);
    at.asked();
    expect(await at.load({ trust })).toMatchObject({ source: "cache" });
    expect(at.asked()).toEqual(["insitu.json"]);
    expect(await at.load({ trust })).toMatchObject({ source: "cache" });
    expect(at.asked()).toEqual([]);
  });

  it("that was stored without trust is not used under it", async () => {
    await at.load();
    expect(await failure(at.load({ trust }))).toMatchObject({ code: "model_signature" });
    expect(at.events.filter(({ type }) => type === "hit")).toEqual([]);
  });

  it("whose manifest was changed after it was signed is refused", async () => {
    signed(["a", "b"]);
    editManifest(at.site, (manifest) => Object.assign(manifest, { release: 9 }));
    expect(await failure(at.load({ trust }))).toMatchObject({ code: "model_signature" });
  });
});

describe("a release that no backend runs", () => {
  const none = new InsituError("backend_unavailable", "no kernel for this");
  /** Runs releases up to this one. */
  const upTo = (release: number) => ({
    async open(found: Package) {
      if (found.manifest.release > release) throw none;
      return bytesOf(found);
    },
  });

  it("is an error where there is none before it", async () => {
    expect(await failure(at.load(upTo(0)))).toBe(none);
  });
});
