// An interrupted download is resumed where it stopped, whatever the host does with ranges, and never gives a wrong model.
import { readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test, vi } from "vitest";
import { type Loading, type Outcome, useDelivery } from "../../../../support/delivery.js";
import { answerOf, makeGraph, TABLE_BYTES } from "../../../../support/graphs.js";

const MIB = 1024 * 1024;
// Five chunks of 4 MiB and one of 4 bytes: a request for the first four, and one for the rest.
const GRAPH = { tables: [1, 2, 3, 4, 5], rows: 1024 };
const SIZE = 5 * TABLE_BYTES + 4;
const ANSWER = answerOf(GRAPH, 3).map((value) => expect.closeTo(value, 5));

const delivery = useDelivery({ headers: { "Access-Control-Allow-Origin": "*" } });
beforeEach(() => makeGraph(delivery.folder, GRAPH));

const weights = () => delivery.asked("weights.bin");
const sent = () => weights().reduce((sum, request) => sum + request.sent, 0);
/** Requests for the part that was asked for first. */
const firstPart = () => weights().filter(({ range }) => range?.endsWith(`-${4 * TABLE_BYTES - 1}`));

/** Loads from a host that hangs up when it has sent `bytes` of its first response, and `chunks` of the package are stored. */
async function loadWithCut(bytes: number, chunks: number, loading: Loading = {}): Promise<Outcome> {
  delivery.fail("weights.bin", [{ kind: "stall", bytes }]);
  const loaded = delivery.load(loading);
  await vi.waitFor(async () => expect((await delivery.stored()).chunks).toHaveLength(chunks), 10_000);
  delivery.server.hangUp();
  return loaded;
}

/** Ends a download from outside: model.json, two chunks of the first part and both of the second are stored then. */
const interrupt = () => delivery.interrupt("weights.bin", 2.25 * TABLE_BYTES, 5);

test("an undisturbed load asks for each byte once", async () => {
  expect(await delivery.load()).toMatchObject({ code: "", source: "network", answer: ANSWER });
  expect(sent()).toBe(SIZE);
  expect(weights().map(({ range, status }) => [range, status])).toEqual([
    [`bytes=0-${4 * TABLE_BYTES - 1}`, 206],
    [`bytes=${4 * TABLE_BYTES}-${SIZE - 1}`, 206],
  ]);
});

test.each([0, 3, 4, 6, 15])(
  "a connection that is cut after %i MiB is resumed at the last verified chunk",
  async (mebibytes) => {
    const bytes = mebibytes * MIB;
    const verified = Math.floor(bytes / TABLE_BYTES);
    expect(await loadWithCut(bytes, 1 + verified + 2)).toMatchObject({ code: "", source: "network", answer: ANSWER });
    const etag = delivery.server.manners.etag("", statSync(join(delivery.folder, "weights.bin")));
    expect(firstPart()).toMatchObject([
      { ifRange: undefined, sent: bytes },
      { range: `bytes=${verified * TABLE_BYTES}-${4 * TABLE_BYTES - 1}`, ifRange: etag, status: 206 },
    ]);
    expect(sent()).toBe(SIZE + bytes - verified * TABLE_BYTES);
  },
);

test("a host that cuts every connection after 5 MiB is loaded from nevertheless", async () => {
  delivery.fail("weights.bin", { kind: "cut", bytes: 5 * MIB });
  expect(await delivery.load()).toMatchObject({ code: "", answer: ANSWER });
  // Each try brings one chunk of four; the browser may throw away some of what arrived last.
  const chunks = firstPart().map(({ range }) => Number(/^bytes=(\d+)-/.exec(range ?? "")?.[1]) / TABLE_BYTES);
  expect([...new Set(chunks)]).toEqual([0, 1, 2, 3]);
  expect(chunks).toEqual(chunks.toSorted());
});

test("a tab that is closed in the middle leaves its verified chunks to the next", async () => {
  await interrupt();
  expect((await delivery.stored()).versions).toEqual([]);
  const resumed = await delivery.load();
  expect(resumed).toMatchObject({ code: "", source: "network", answer: ANSWER });
  expect(weights()).toMatchObject([
    { range: `bytes=${2 * TABLE_BYTES}-${4 * TABLE_BYTES - 1}`, sent: 2 * TABLE_BYTES },
  ]);
  expect(delivery.asked("model.json")).toEqual([]);
  expect(await delivery.stored()).toMatchObject({ versions: ["1.0.0"], pending: 0 });
  delivery.heal();
  expect(await delivery.load()).toMatchObject({ source: "cache", answer: ANSWER });
  expect(delivery.asked()).toEqual([]);
});

/** A host that sends another ETag with each response, as when a file is published anew, or from several machines. */
function renewEtags(): void {
  let count = 0;
  delivery.server.manners.etag = () => `"edition ${++count}"`;
}

test("a file that got another ETag in the middle comes whole, and is still right", async () => {
  const small = { tables: [1, 2, 3], rows: 1024 };
  await makeGraph(delivery.folder, small);
  renewEtags();
  const answer = answerOf(small, 3).map((value) => expect.closeTo(value, 5));
  expect(await loadWithCut(6 * MIB, 2)).toMatchObject({ code: "", answer });
  const [first, again] = weights();
  expect(first).toMatchObject({ range: undefined, status: 200 });
  expect(again).toMatchObject({ range: `bytes=${TABLE_BYTES}-${3 * TABLE_BYTES + 3}`, status: 200 });
  expect(again?.ifRange).toMatch(/^"edition \d"$/);
});

test("a host whose ETags never agree is asked without them after the first whole file", async () => {
  renewEtags();
  expect(await loadWithCut(6 * MIB, 4)).toMatchObject({ code: "", answer: ANSWER });
  expect(weights()).toMatchObject([
    { range: `bytes=0-${4 * TABLE_BYTES - 1}`, status: 206, ifRange: undefined },
    { range: `bytes=${4 * TABLE_BYTES}-${SIZE - 1}`, status: 200, ifRange: expect.stringContaining("edition") },
    { range: `bytes=${TABLE_BYTES}-${4 * TABLE_BYTES - 1}`, status: 206, ifRange: undefined },
  ]);
});

test.each([
  ["a weak ETag", () => 'W/"edition 1"'],
  ["no ETag", () => undefined],
])("%s is never sent back, and the rest is asked for all the same", async (_name, etag) => {
  delivery.server.manners.etag = etag;
  expect(await loadWithCut(6 * MIB, 4)).toMatchObject({ code: "", answer: ANSWER });
  expect(firstPart()).toMatchObject([
    { status: 206, ifRange: undefined },
    { range: `bytes=${TABLE_BYTES}-${4 * TABLE_BYTES - 1}`, status: 206, ifRange: undefined },
  ]);
  expect(sent()).toBe(SIZE + 2 * MIB);
});

test.each([
  ["shows no ETag", false],
  ["shows its ETag, and lets no one send it back", true],
])("a host of another origin that %s is resumed too", async (_name, shown) => {
  if (shown) delivery.server.manners.headers = { "Access-Control-Expose-Headers": "*" };
  const url = `${delivery.server.url.replace("127.0.0.1", "localhost")}${delivery.path.slice(1)}`;
  expect(await loadWithCut(6 * MIB, 4, { url })).toMatchObject({ code: "", source: "network", answer: ANSWER });
  const answered = weights().filter(({ method }) => method === "GET");
  // The browser asked whether it may.
  expect(answered.length < weights().length).toBe(shown);
  expect(answered.map(({ ifRange }) => ifRange)).toEqual(answered.map(() => undefined));
  expect(answered.reduce((sum, request) => sum + request.sent, 0)).toBe(SIZE + 2 * MIB);
});

test("a host that ignores ranges is asked once for the whole file, and once more after a cut", async () => {
  delivery.server.manners.ranges = false;
  expect(await loadWithCut(6 * MIB, 2)).toMatchObject({ code: "", answer: ANSWER });
  expect(weights().map(({ status, sent }) => [status, sent])).toEqual([
    [200, 6 * MIB],
    [200, SIZE],
  ]);
});

test("a file that became shorter meanwhile (HTTP 416) is refused, and only its rest is fetched once it is whole again", async () => {
  await interrupt();
  const path = join(delivery.folder, "weights.bin");
  const whole = readFileSync(path);
  truncateSync(path, 2 * TABLE_BYTES);
  expect(await delivery.load()).toMatchObject({
    code: "model_integrity",
    message: expect.stringContaining("fewer bytes"),
  });
  expect(weights().map(({ status }) => status)).toContain(416);
  writeFileSync(path, whole);
  delivery.heal();
  expect(await delivery.load()).toMatchObject({ code: "", answer: ANSWER });
  expect(sent()).toBe(2 * TABLE_BYTES);
});

test("a body that ends early and without a word is asked for again from the last verified chunk", async () => {
  delivery.fail("weights.bin", [{ kind: "truncate", bytes: 6 * MIB }]);
  expect(await delivery.load()).toMatchObject({ code: "", answer: ANSWER });
  expect(firstPart()).toMatchObject([
    { sent: 6 * MIB, ended: "whole" },
    { range: `bytes=${TABLE_BYTES}-${4 * TABLE_BYTES - 1}` },
  ]);
});

test("an altered chunk is asked for again, and refused when it comes the same way twice", async () => {
  const alter = { kind: "alter", offset: 2 * TABLE_BYTES + 5 } as const;
  delivery.fail("weights.bin", alter);
  expect(await delivery.load()).toMatchObject({ code: "model_integrity", data: { chunk: 2 } });
  const ranges = firstPart().map(({ range }) => range);
  expect(ranges).toEqual([`bytes=0-${4 * TABLE_BYTES - 1}`, `bytes=${2 * TABLE_BYTES}-${4 * TABLE_BYTES - 1}`]);
  expect((await delivery.stored()).versions).toEqual([]);

  delivery.heal();
  delivery.fail("weights.bin", [alter]);
  expect(await delivery.load()).toMatchObject({ code: "", answer: ANSWER });
  expect(firstPart().map(({ range }) => range)).toEqual([ranges[1], ranges[1]]);
});

test("chunks that two tables share come once", async () => {
  const twice = { tables: [7, 8, 7, 7], rows: 1024 };
  await makeGraph(delivery.folder, twice);
  const answer = answerOf(twice, 3).map((value) => expect.closeTo(value, 5));
  expect(await delivery.load()).toMatchObject({ code: "", answer });
  expect(sent()).toBe(2 * TABLE_BYTES + 4);
});

test("a chunk that was altered in the store is fetched again alone", async () => {
  await delivery.load();
  const { files } = JSON.parse(readFileSync(join(delivery.folder, "insitu.json"), "utf8"));
  await delivery.damage(files[1].chunks[2].sha256);
  delivery.heal();
  const mended = await delivery.load();
  expect(mended).toMatchObject({ code: "", source: "cache", answer: ANSWER });
  expect(mended.events.map(({ type }) => type)).toEqual(["corrupt", "hit"]);
  expect(delivery.asked()).toMatchObject([
    { url: `${delivery.path}weights.bin`, range: `bytes=${2 * TABLE_BYTES}-${3 * TABLE_BYTES - 1}`, sent: TABLE_BYTES },
  ]);
  delivery.heal();
  expect(await delivery.load()).toMatchObject({ source: "cache", answer: ANSWER });
  expect(delivery.asked()).toEqual([]);
});
