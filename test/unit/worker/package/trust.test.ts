// Signatures, expiry and the release floor: what is refused, and with which code.
import { afterEach, describe, expect, it, vi } from "vitest";
import { canonicalBytes } from "../../../../src/worker/package/canonical-json.js";
import { parseManifest } from "../../../../src/worker/package/manifest.js";
import { checkExpiry, checkRelease, checkSignatures, soundFloor } from "../../../../src/worker/package/trust.js";
import { type Key, newKey } from "../../../support/keys.js";
import { type Json, refusal, valid, WHERE } from "../../../support/manifests.js";

const [a, b, c] = ["a", "b", "c"].map(newKey) as [Key, Key, Key];

function signature(key: Key, json: Json, over: Json = {}): Json {
  const bytes = key.sign(bytesOf(json));
  return { keyId: key.id, algorithm: "Ed25519", signature: bytes.toString("base64"), ...over };
}

const bytesOf = (json: Json) => canonicalBytes(JSON.stringify(json));

function oneBitOff(signature: Buffer): string {
  signature[0] = (signature[0] ?? 0) ^ 1;
  return signature.toString("base64");
}

/** What checking answers for `json` with these signatures: "" or the code. */
async function check(json: Json, signatures: Json[], keys: { id: string; publicKey: string }[], threshold = 1) {
  const text = JSON.stringify({ ...json, signatures });
  return checkSignatures(text, parseManifest(text, WHERE), { keys, threshold }, WHERE).then(
    () => "",
    (error: { code: string; message: string }) => error.code,
  );
}

describe.each(["WebCrypto", "the fallback", "code alone"])("a signature, by %s,", (by) => {
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  });
  // A browser without Ed25519 rejects here; nothing else of the platform is replaced.
  const run: typeof check = (...args) => {
    if (by === "the fallback") {
      vi.spyOn(crypto.subtle, "importKey").mockRejectedValue(
        new DOMException("Unrecognized name.", "NotSupportedError"),
      );
    }
    // As on a page that is not a secure context.
    if (by === "code alone") vi.stubGlobal("crypto", { getRandomValues: crypto.getRandomValues.bind(crypto) });
    return check(...args);
  };
  const json = valid();

  it("of a trusted key is accepted", async () => {
    expect(await run(json, [signature(a, json)], [a])).toBe("");
    // Else both rounds of these tests would be the same one.
    if (by === "the fallback") expect(crypto.subtle.importKey).toHaveBeenCalledOnce();
    else if (by === "code alone") expect(crypto.subtle).toBeUndefined();
    else expect(vi.isMockFunction(crypto.subtle.importKey)).toBe(false);
    expect(await run(json, [signature(b, json), signature(a, json)], [a])).toBe("");
  });

  it.each<[string, (key: Key) => Json[]]>([
    ["that is missing", () => []],
    ["of another key", () => [signature(b, json)]],
    ["of another key under this one's id", () => [signature(b, json, { keyId: "a" })]],
    ["of another manifest", (key) => [signature(key, valid({ release: 8 }))]],
    ["with one bit changed", (key) => [signature(key, json, { signature: oneBitOff(key.sign(bytesOf(json))) })]],
    ["of 63 bytes", (key) => [signature(key, json, { signature: Buffer.alloc(63).toString("base64") })]],
    ["of zeros", (key) => [signature(key, json, { signature: Buffer.alloc(64).toString("base64") })]],
    ...["none", "ed25519", "RSA", "HMAC"].map((algorithm): [string, (key: Key) => Json[]] => [
      `by ${algorithm}`,
      (key) => [signature(key, json, { algorithm })],
    ]),
  ])("%s is refused", async (_what, make) => {
    expect(await run(json, make(a), [a])).toBe("model_signature");
  });

  it("counts once a key, however often it stands there, and under however many ids", async () => {
    const twice = [signature(a, json), signature(a, json)];
    expect(await run(json, twice, [a, b], 2)).toBe("model_signature");
    const alias = { id: "alias", publicKey: a.publicKey };
    expect(await run(json, [signature(a, json), signature(a, json, { keyId: "alias" })], [a, alias], 2)).toBe(
      "model_signature",
    );
    expect(await run(json, [signature(a, json), signature(c, json)], [a, b, c], 2)).toBe("");
    expect(await run(json, [signature(a, json), signature(c, json)], [a, b, c], 3)).toBe("model_signature");
  });
});

describe("expires", () => {
  const manifest = (expires?: string) => parseManifest(JSON.stringify(valid({ expires })), WHERE);
  const end = Date.parse("2026-06-01T00:00:00Z");

  it("is the first moment at which the package is refused; without it there is none", () => {
    checkExpiry(manifest("2026-06-01T00:00:00Z"), end - 1, WHERE);
    checkExpiry(manifest(), Number.MAX_SAFE_INTEGER, WHERE);
    expect(refusal(() => checkExpiry(manifest("2026-06-01T00:00:00Z"), end, WHERE))).toMatchObject({
      code: "model_expired",
    });
  });
});

describe("a release", () => {
  const floor = { url: WHERE, name: "objects", release: 7 };
  const release = (number: number, changes: Json = {}) =>
    parseManifest(JSON.stringify(valid({ release: number, ...changes })), WHERE);

  it.each([7, 8, 1_000_000_007])("%i is accepted after 7, whatever content it names", (number) => {
    checkRelease(release(number, { version: "0.9.0" }), floor, WHERE);
  });

  it("is accepted where none was before", () => checkRelease(release(0), undefined, WHERE));

  it.each([
    ["6, a rollback", release(6), "model_rollback"],
    ["a jump that would lock out all later ones", release(1_000_000_008), "model_rollback"],
    ["one of another model", release(9, { name: "other" }), "model_integrity"],
  ])("%s is refused", (_what, manifest, code) => {
    expect(refusal(() => checkRelease(manifest, floor, WHERE))).toMatchObject({ code });
  });
});

describe("a stored floor", () => {
  const sound = { url: WHERE, name: "digits", release: 7 };
  it("is used as it was written", () => expect(soundFloor(sound)).toBe(sound));
  it.each([
    undefined,
    null,
    {},
    { ...sound, name: 7 },
    { ...sound, name: undefined },
    { ...sound, release: "x" },
    { ...sound, release: Number.NaN },
  ])("is absent where its row was damaged: %o", (row) => expect(soundFloor(row as never)).toBeUndefined());
});
