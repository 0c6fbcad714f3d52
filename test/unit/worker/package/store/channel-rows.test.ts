// The rows of channels: what was damaged on the disk is as if it were absent.
import { expect, it } from "vitest";
import { type ChannelRow, changeRow } from "../../../../../src/worker/package/store/channel-rows.js";

const URL_ = "https://site.example/channel.json";
const block = {
  package: "https://site.example/1.1.0/",
  version: "1.1.0",
  reason: "load",
  detail: "",
  release: 1,
  at: 0,
};

function rowsOf(...given: unknown[]) {
  const stored = new Map((given as ChannelRow[]).map((row) => [row.url, row]));
  return {
    stored,
    get: async (url: string) => stored.get(url),
    put: async (row: ChannelRow) => stored.set(row.url, row),
  };
}

it("a row is read as it was written, with the seed that all channels share", async () => {
  const row = { url: URL_, blocked: [block], text: "{}" };
  const rows = rowsOf({ url: "", blocked: [], seed: "s" }, row);
  expect(await changeRow(rows, URL_, (before) => before)).toEqual({ seed: "s", row });
});

it.each([{}, { blocked: "none" }, { blocked: null }, { blocked: [null] }, { blocked: [7] }, { blocked: [{}] }])(
  "a damaged row is absent: %o",
  async (fields) => {
    const rows = rowsOf({ url: "", blocked: [], seed: "s" }, { url: URL_, text: "{}", ...fields });
    const empty = { url: URL_, blocked: [] };
    expect(await changeRow(rows, URL_, (before) => before)).toEqual({ seed: "s", row: empty });
    await changeRow(rows, URL_, (before) => ({ ...before, checkedAt: 5 }));
    expect(rows.stored.get(URL_)).toEqual({ ...empty, checkedAt: 5 });
  },
);

it.each([7, null, {}])("a damaged seed is made again: %o", async (seed) => {
  const rows = rowsOf({ url: "", blocked: [], seed });
  const made = (await changeRow(rows, URL_, (row) => row)).seed;
  expect(made).toMatch(/^[\da-f]{32}$/);
  expect((await changeRow(rows, URL_, (row) => row)).seed).toBe(made);
});
