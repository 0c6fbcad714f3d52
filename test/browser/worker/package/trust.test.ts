// With `trust`, only packages signed by enough trusted keys load, from host and store, with and without WebCrypto.
import { beforeEach, describe, expect, test } from "vitest";
import type { SignatureSpec } from "../../../../src/shared/types/manifest.js";
import { useDelivery } from "../../../support/delivery.js";
import { answerOf, makeGraph, republish } from "../../../support/graphs.js";
import { changeText, newKey, signPackage, trusting } from "../../../support/keys.js";

const GRAPH = { tables: [1, 2], rows: 16, files: "apart" } as const;
const answer = answerOf(GRAPH, 3).map((value) => expect.closeTo(value, 5));

/** A worker whose WebCrypto has no Ed25519, as in Chrome before 137; it reports each time it was asked for it. */
const OLD_BROWSER = `
  const importKey = SubtleCrypto.prototype.importKey;
  const said = new BroadcastChannel("ed25519");
  SubtleCrypto.prototype.importKey = function (format, key, algorithm, ...rest) {
    if ((algorithm.name ?? algorithm) !== "Ed25519") return importKey.call(this, format, key, algorithm, ...rest);
    said.postMessage("asked");
    return Promise.reject(new DOMException("Unrecognized name.", "NotSupportedError"));
  };
  await import("/dist/worker.js");`;
const WORKERS = [
  ["WebCrypto's Ed25519", undefined],
  ["the fallback for browsers without Ed25519", "/old-browser.js"],
] as const;

const delivery = useDelivery({
  routes: [
    (req, res) => {
      if (req.url !== "/old-browser.js") return false;
      res.writeHead(200, { "Content-Type": "text/javascript" }).end(OLD_BROWSER);
      return true;
    },
  ],
});
const [first, stranger] = [newKey("first"), newKey("stranger")];
const trust = trusting([first]);

beforeEach(async () => {
  await makeGraph(delivery.folder, GRAPH);
  signPackage(delivery.folder, first);
});

test.each(WORKERS)("a signed package loads from its host and from the store, by %s", async (_name, worker) => {
  await delivery.library.page.evaluate(() => {
    const said = new BroadcastChannel("ed25519");
    said.onmessage = () => document.body.append("asked ");
  });
  expect(await delivery.load({ trust, worker })).toMatchObject({ code: "", source: "network", answer });
  delivery.heal();
  expect(await delivery.load({ trust, worker })).toMatchObject({ code: "", source: "cache", answer });
  expect(delivery.asked()).toEqual([]);
  const said = await delivery.library.page.evaluate(() => document.body.textContent);
  expect(said).toBe(worker ? "asked asked " : "");
});

/** Changes the manifest after it was signed. */
const alter = (changes: object) =>
  changeText(delivery.folder, (text) => JSON.stringify({ ...JSON.parse(text), ...changes }));

function alterSignature(change: (signature: SignatureSpec) => Partial<SignatureSpec>): void {
  changeText(delivery.folder, (text) => {
    const manifest = JSON.parse(text);
    const signatures = manifest.signatures.map((spec: SignatureSpec) => ({ ...spec, ...change(spec) }));
    return JSON.stringify({ ...manifest, signatures });
  });
}

/** Changes the 64 bytes of the signature. */
const alterBytes = (change: (bytes: Buffer) => Uint8Array) =>
  alterSignature(({ signature }) => ({
    signature: Buffer.from(change(Buffer.from(signature, "base64"))).toString("base64"),
  }));

/** The other number that stands for the same point of the curve: s + L, which RFC 8032 (5.1.7) forbids. */
function addGroupOrder(bytes: Buffer): Buffer {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const s = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString("hex")}`) + order;
  return Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, "0"), "hex").reverse()]);
}

const FORGERIES: [string, () => void][] = [
  ["has no signature", () => alter({ signatures: undefined })],
  ["has an empty list of signatures", () => alter({ signatures: [] })],
  ["is signed by a stranger", () => signPackage(delivery.folder, stranger)],
  [
    "is signed by a stranger in a trusted key's name",
    () => signPackage(delivery.folder, { ...stranger, id: first.id }),
  ],
  [
    "is signed by a trusted key in a stranger's name",
    () => signPackage(delivery.folder, { ...first, id: stranger.id }),
  ],
  ["has another name", () => alter({ name: "other" })],
  ["has another release", () => alter({ release: 2 })],
  ["expires later than was signed", () => alter({ expires: "2999-01-01" })],
  ["has a field that no version knows yet", () => alter({ unknown: true })],
  ["names other content", () => republish(delivery.folder, (_, model) => model.modelTopology.node.reverse())],
  ["says its name twice", () => changeText(delivery.folder, (text) => text.replace(/}\s*$/, ',"name":"other"}'))],
  ["says that no algorithm is needed", () => alterSignature(() => ({ algorithm: "none" }))],
  ["says HMAC, whose secret is the public key", () => alterSignature(() => ({ algorithm: "HS256" }))],
  ["writes the algorithm otherwise", () => alterSignature(() => ({ algorithm: "ed25519" }))],
  ["has a flipped bit in its signature", () => alterBytes((bytes) => bytes.with(40, (bytes[40] as number) ^ 1))],
  ["has a signature of 63 bytes", () => alterBytes((bytes) => bytes.subarray(0, 63))],
  ["has a signature of zeros", () => alterBytes(() => Buffer.alloc(64))],
  ["has a signature with the group's order added", () => alterBytes(addGroupOrder)],
];

describe.each(WORKERS)("%s refuses a package that", (_name, worker) => {
  test.each(FORGERIES)("%s", async (_what, forge) => {
    forge();
    const { code, data, message } = await delivery.load({ trust, worker });
    expect([code, message]).toEqual([
      "model_signature",
      expect.stringContaining("0 of 1 trusted signatures are valid"),
    ]);
    expect(data).toMatchObject({ valid: 0, threshold: 1 });
    expect(delivery.asked().map(({ url }) => url)).toEqual([`${delivery.path}insitu.json`]);
    expect((await delivery.stored()).versions).toEqual([]);
  });
});

test("a manifest that is only laid out otherwise keeps its signature", async () => {
  changeText(delivery.folder, (text) => {
    const entries = Object.entries(JSON.parse(text)).reverse();
    return JSON.stringify(Object.fromEntries(entries), null, 3);
  });
  expect(await delivery.load({ trust })).toMatchObject({ code: "", answer });
});
