// How many keys must sign, which options are refused, and what the store may keep of unsigned packages.
import { beforeEach, describe, expect, test } from "vitest";
import { useDelivery } from "../../../support/delivery.js";
import { answerOf, makeGraph } from "../../../support/graphs.js";
import { type Key, newKey, signPackage, trusting } from "../../../support/keys.js";

const GRAPH = { tables: [1, 2], rows: 16, files: "apart" } as const;
const answer = answerOf(GRAPH, 3).map((value) => expect.closeTo(value, 5));
const A = newKey("a");
const B = newKey("b");
const C = newKey("c");
const forged = ({ id }: Key): Key => newKey(id);

// The page's own scripts come from the HTTP cache, also without a network.
const delivery = useDelivery({ headers: { "Cache-Control": "max-age=600" } });
beforeEach(() => makeGraph(delivery.folder, GRAPH));

describe("where two of three keys must sign", () => {
  const trust = trusting([A, B, C], 2);

  test.each([
    ["two of them", [A, C]],
    ["all three", [A, B, C]],
    ["two of them beside a stranger", [newKey("x"), C, B]],
    ["two of them beside a forgery", [forged(A), B, C]],
    ["one of them, in whose name is also a forgery, and another", [forged(A), A, B]],
  ])("%s are enough", async (_name, keys) => {
    signPackage(delivery.folder, ...keys);
    expect(await delivery.load({ trust })).toMatchObject({ code: "", answer });
  });

  test.each([
    ["one of them", [B]],
    ["one of them twice", [B, B]],
    ["one of them in the names of two", [B, { ...B, id: "c" }]],
    ["one of them and a forgery", [B, forged(C)]],
    ["two strangers", [newKey("x"), newKey("y")]],
  ])("%s are not", async (_name, keys) => {
    signPackage(delivery.folder, ...keys);
    const { code, data } = await delivery.load({ trust });
    expect(code).toBe("model_signature");
    expect(data).toMatchObject({
      threshold: 2,
      valid: keys.some(({ publicKey }) => publicKey === B.publicKey) ? 1 : 0,
    });
  });
});

test("options that would trust nobody or anybody are refused when the client is made", async () => {
  const [a, b] = trusting([A, B]).keys as [{ id: string; publicKey: string }, { id: string; publicKey: string }];
  const bad: [string, unknown][] = [
    ["keys is empty", { keys: [] }],
    ["keys is empty", {}],
    ["has no id", { keys: [{ ...a, id: "" }] }],
    ["base64 of 32 bytes", { keys: [{ ...a, publicKey: "not base64" }] }],
    ["base64 of 32 bytes", { keys: [{ ...a, publicKey: a.publicKey.slice(4) }] }],
    ["base64 of 32 bytes", { keys: [{ id: "a" }] }],
    ["two keys have the same id", { keys: [a, { ...b, id: "a" }] }],
    ["two ids name the same key", { keys: [a, { ...a, id: "b" }] }],
    ...[0, -1, 1.5, 3, Number.NaN, "1"].map((threshold): [string, unknown] => [
      "threshold is",
      { keys: [a, b], threshold },
    ]),
  ];
  const found = await delivery.library.page.evaluate(
    (options) =>
      options.map((trust) => {
        try {
          window.insitu.createClient({ trust });
          return { code: "accepted", message: "" };
        } catch (error) {
          const { code, message } = error as InstanceType<typeof window.insitu.InsituError>;
          return { code, message };
        }
      }),
    bad.map(([, trust]) => trust as ReturnType<typeof trusting>),
  );
  expect(found).toEqual(bad.map(([message]) => ({ code: "input_invalid", message: expect.stringContaining(message) })));
});

describe("a package that was stored before the page asked for signatures", () => {
  const trust = trusting([A]);
  beforeEach(async () => {
    expect(await delivery.load()).toMatchObject({ code: "", source: "network" });
    delivery.heal();
  });

  test("is not run from the store", async () => {
    const { code, events } = await delivery.load({ trust });
    expect(code).toBe("model_signature");
    expect(events).toMatchObject([{ type: "miss", reason: expect.stringContaining("it is not signed") }]);
  });

  test("is not run without a network either, and the error gives the reason", async () => {
    await delivery.library.chromium.context.setOffline(true);
    expect(await delivery.load({ trust })).toMatchObject({ code: "model_signature", cause: "network" });
  });

  test("runs once its host has it signed, then without a request, and none of its weights come again", async () => {
    signPackage(delivery.folder, A);
    expect(await delivery.load({ trust })).toMatchObject({ code: "", answer });
    expect(delivery.asked().map(({ url }) => url)).toEqual([`${delivery.path}insitu.json`]);
    delivery.heal();
    expect(await delivery.load({ trust })).toMatchObject({ code: "", source: "cache", answer });
    expect(delivery.asked()).toEqual([]);
  });
});

test("a stored manifest that was altered is not run, but fetched again", async () => {
  signPackage(delivery.folder, A);
  const trust = trusting([A]);
  await delivery.load({ trust });
  await delivery.library.page.evaluate(async (store) => {
    const done = <T>(request: IDBRequest<T>) =>
      new Promise<T>((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const database = await done(indexedDB.open(store));
    const packages = () => database.transaction("packages", "readwrite").objectStore("packages");
    const [row] = (await done(packages().getAll())) as { text: string }[];
    await done(packages().put({ ...row, text: row?.text.replace('"raw"', '"ranking"') }));
    database.close();
  }, delivery.store);
  delivery.heal();
  const mended = await delivery.load({ trust });
  expect(mended).toMatchObject({ code: "", answer });
  expect(mended.events).toMatchObject([{ type: "miss", reason: expect.stringContaining("does not fit") }]);
  expect(delivery.asked().map(({ url }) => url)).toEqual([`${delivery.path}insitu.json`]);
  delivery.heal();
  expect(await delivery.load({ trust })).toMatchObject({ code: "", source: "cache", answer });
  expect(delivery.asked()).toEqual([]);
});
