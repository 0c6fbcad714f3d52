// `client.personal`: consent, the list of models and rankers, and forgetting all of it, with tables that are simulated in memory.
import { expect, test, vi } from "vitest";
import { createPersonalPrivacy } from "../../../../../src/page/personal-privacy.js";
import type { AskHost } from "../../../../../src/page/storage/model-store.js";
import type { StoredClassifier } from "../../../../../src/shared/types/personal.js";

const tables = vi.hoisted(() => new Map<string, Map<string, object>>());
vi.mock("../../../../../src/page/lib/idb-table.js", () => ({
  createTable(name: string) {
    const rows = tables.get(name) ?? new Map<string, object>();
    tables.set(name, rows);
    const access = {
      put: async (row: { id: string }) => rows.set(row.id, row),
      get: async (id: string) => rows.get(id),
      all: async () => [...rows.values()],
      remove: async (id: string) => void rows.delete(id),
    };
    return { change: async (run: (rows: typeof access) => Promise<unknown>) => run(access) };
  },
}));

const mine: StoredClassifier = {
  kind: "classifier",
  model: "digits",
  name: "mine",
  examples: 2,
  versions: 1,
  bytes: 9,
};

function open(store: string) {
  let stored = [mine];
  const host = {
    listPersonal: async () => stored,
    async forgetPersonal() {
      stored = [];
    },
  };
  const ask = (async (_what, run) => run(host as never)) as AskHost;
  return createPersonalPrivacy(ask, store);
}

const put = (table: string, row: { id: string }) => tables.set(table, new Map([[row.id, row]]));
const event = { model: "films", name: "for-you", kind: "clicked", item: "up", traits: [], base: 0, position: 0 };
const outcome = { id: "o", version: "1", arm: "stable", time: Date.now(), truth: { score: 1 } };

test("models and rankers are listed, and say which they are", async () => {
  put("list-ranking", { id: "e", ...event } as { id: string });
  const { personal } = open("list");
  expect(await personal.list()).toEqual([
    mine,
    { kind: "ranker", model: "films", name: "for-you", events: 1, bytes: expect.any(Number) },
  ]);
});

test("forget removes models, rankers and the feedback of models that are not open", async () => {
  put("all-ranking", { id: "e", ...event } as { id: string });
  put("all-monitor", { ...outcome, model: "digits/mine" } as { id: string });
  const { personal } = open("all");
  await personal.forget();
  expect(await personal.list()).toEqual([]);
  expect([...(tables.get("all-monitor")?.values() ?? [])]).toEqual([]);
});

test("the base model's own feedback stays", async () => {
  put("base-monitor", { ...outcome, model: "digits" } as { id: string });
  await open("base").personal.forget();
  expect(tables.get("base-monitor")?.size).toBe(1);
});

test("an open model forgets too, and one that fails does not stop the others", async () => {
  const { personal, learning } = open("open");
  const forgotten: string[] = [];
  learning.opened({ forget: () => Promise.reject(new Error("disposed")) });
  learning.opened({ forget: async () => void forgotten.push("second") });
  await personal.forget();
  expect(forgotten).toEqual(["second"]);
});

test("consent that is denied throws consent_denied until it is granted", () => {
  const { personal, learning } = open("consent");
  learning.assertConsent();
  personal.setConsent("denied");
  expect(() => learning.assertConsent()).toThrow(expect.objectContaining({ code: "consent_denied" }));
  personal.setConsent("granted");
  learning.assertConsent();
});
