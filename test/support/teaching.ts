// Helpers for tests of personal models: teach digits, predict, read the state.
import { type Digit, heldOut } from "../../models/digits/data.js";
import type { PersonalizeOptions } from "../../src/index.js";
import type { PageRunner } from "./any-browser.js";

let stores = 0;

export async function open(
  on: PageRunner,
  options: { store?: string; package?: string; personal?: PersonalizeOptions } = {},
) {
  const { store = `p${++stores}`, package: folder = "/models/digits/", personal = {} } = options;
  await on.evaluate(
    async ([name, url, given]) => {
      window.client = window.insitu.createClient({ backends: ["wasm"], storage: { name } });
      window.base = await window.client.load(url);
      window.mine = await window.base.personalize("mine", given);
    },
    [store, folder, personal] as const,
  );
  return store;
}

const all = heldOut();
/** The n-th to m-th held-out images of a digit, which the model was not trained on. */
export const digits = (label: number, from: number, to: number): Digit[] =>
  all.filter((digit) => digit.label === label).slice(from, to);

export const NAMES: Record<number, string> = { 1: "one", 4: "four", 7: "seven" };

export async function teach(on: PageRunner, examples: Digit[], keep = false): Promise<string[]> {
  return on.evaluate(
    async ([items, kept]) => {
      const ids: string[] = [];
      for (const { pixels, label } of items)
        ids.push((await window.mine.addExample(Float32Array.from(pixels), label, { keep: kept })).id);
      return ids;
    },
    [examples.map(({ pixels, label }) => ({ pixels: [...pixels], label: NAMES[label] as string })), keep] as const,
  );
}

export const say = (on: PageRunner, examples: Digit[]) =>
  on.evaluate(
    async (items) => {
      const said: { id: string; label?: string; distance: number; head: string; version: number; sum: number }[] = [];
      for (const pixels of items) {
        const { id, label, distance, head, version, value } = await window.mine.predict(Float32Array.from(pixels));
        const sum = value.reduce((total, { score }) => total + score, 0);
        said.push({ id, label, distance, head, version, sum });
      }
      return said;
    },
    examples.map(({ pixels }) => [...pixels]),
  );
export const state = (on: PageRunner) => on.evaluate(() => window.mine.state());
/** The code that a piece of script, which the page runs, fails with. */
export const codeOf = (on: PageRunner, script: string): Promise<string> =>
  on.evaluate(`(async () => ${script})().then(() => "nothing", (error) => error.code ?? String(error))`);
