// The bytes of a manifest that are hashed and signed: the same for every way to write it.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalBytes, canonicalJson, digestOf } from "../../../../src/worker/package/canonical-json.js";
import { type Json, refusal, valid } from "../../../support/manifests.js";

const text = (changes: Json = {}) => JSON.stringify(valid(changes), null, 2);

describe("canonicalJson and digestOf", () => {
  it("sorts keys by code unit, at every depth, without spaces", () => {
    expect(canonicalJson({ b: [1, { d: null, c: "é\n" }], a: true, B: 0.1, "10": 1, "9": 2, none: undefined })).toBe(
      '{"10":1,"9":2,"B":0.1,"a":true,"b":[1,{"c":"é\\n","d":null}]}',
    );
  });

  it("is JSON of the same value, and does not depend on the order of keys", () => {
    const reversed = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(reversed)
        : typeof value === "object" && value !== null
          ? Object.fromEntries(
              Object.entries(value)
                .reverse()
                .map(([key, item]) => [key, reversed(item)]),
            )
          : value;
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const plain = JSON.parse(JSON.stringify(value)) as unknown;
        expect(JSON.parse(canonicalJson(plain))).toEqual(plain);
        expect(canonicalJson(reversed(plain))).toBe(canonicalJson(plain));
      }),
    );
  });

  it("hashes all but the signatures", async () => {
    const signatures = [{ keyId: "k", algorithm: "Ed25519", signature: "AAAA" }];
    const digest = await digestOf(text());
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(await digestOf(text({ signatures }))).toBe(digest);
    expect(await digestOf(text({ release: 8 }))).not.toBe(digest);
    // What only a later version of the library reads is signed too.
    expect(await digestOf(text({ later: true }))).not.toBe(digest);
  });

  it("has the same bytes with any signatures, or none", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), (given, signatures) => {
        const { signatures: _, ...plain } = JSON.parse(JSON.stringify(given)) as Json;
        const bytes = canonicalBytes(JSON.stringify(plain));
        expect(canonicalBytes(JSON.stringify({ signatures, ...plain }, null, 2))).toEqual(bytes);
        expect(new TextDecoder().decode(bytes)).toBe(canonicalJson(plain));
      }),
    );
    // Only those of the manifest itself: a field of the same name further down is content.
    const inner = (signatures: unknown) => canonicalBytes(JSON.stringify({ later: { signatures } }));
    expect(inner([1])).not.toEqual(inner([2]));
  });

  it("refuses what nests too deep, and does not overflow the stack", () => {
    // As text: JSON.stringify itself overflows on 5,000 levels, JSON.parse does not.
    const deep = (levels: number) => `{"later":${"[".repeat(levels)}${"]".repeat(levels)}}`;
    expect(canonicalBytes(deep(60))).toHaveLength(130);
    for (const levels of [66, 5_000, 400_000])
      expect(refusal(() => canonicalBytes(deep(levels)))).toMatchObject({ code: "model_format" });
  });
});
