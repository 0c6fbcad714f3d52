// Pages that require Trusted Types: the library's worker starts with its own policy, another worker with the page's.
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { LibraryPage } from "../../../support/page.js";
import { policyRoute, visitUnder } from "../../../support/policy.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";

vi.setConfig({ testTimeout: 30_000 });
let library: LibraryPage;

beforeAll(async () => {
  library = await openSharedLibrary({ routes: [policyRoute] });
});
afterAll(() => library?.close());

const REQUIRED = "require-trusted-types-for 'script'; script-src 'self' 'wasm-unsafe-eval'";
const visit = (more: string) =>
  visitUnder(library.page, library.server, { "Content-Security-Policy": `${REQUIRED}${more}` });

interface Factory {
  createPolicy(name: string, rules: object): { createScriptURL(url: string): TrustedAddress };
}
type TrustedAddress = { toString(): string; toJSON(): string };

/** Starts clients one after the other with a worker of each kind, and predicts. */
const start = (kinds: ("default" | "string" | "trusted" | "function")[], policy = "page") =>
  library.page.evaluate(
    async ([kinds, policy]) => {
      const factory = (window as unknown as { trustedTypes: Factory }).trustedTypes;
      const results: { code: string; data?: unknown; message?: string }[] = [];
      const trusted = kinds.some((kind) => kind === "trusted" || kind === "function")
        ? factory.createPolicy(policy, { createScriptURL: (url: string) => url }).createScriptURL("/dist/worker.js")
        : undefined;
      for (const kind of kinds) {
        const make = () => new Worker(trusted as unknown as string, { type: "module" });
        const worker = { default: undefined, string: "/dist/worker.js", trusted, function: make }[kind];
        const client = window.insitu.createClient({ backends: ["wasm"], worker });
        try {
          const model = await client.load("/models/digits/", { task: "classification" });
          const { value } = await model.predict(new Float32Array(784));
          results.push({ code: value.length > 0 ? "ran" : "wrong" });
        } catch (error) {
          const { code, data, message } = error as InstanceType<typeof window.insitu.InsituError>;
          results.push({ code, data, message });
        }
        await client.dispose();
      }
      return { results, native: /\[native code\]/.test(String(window.Worker)) };
    },
    [kinds, policy] as const,
  );

test.each(["", "; trusted-types insitu"])(
  "the worker beside the library starts by a policy of its own%s",
  async (more) => {
    await visit(more);
    // Twice: a policy of one name can be made once only.
    expect(await start(["default", "default"])).toEqual({ results: [{ code: "ran" }, { code: "ran" }], native: true });
  },
);

test("where its policy is not allowed, csp_blocked says what to add", async () => {
  await visit("; trusted-types page");
  const { results, native } = await start(["default"]);
  expect(results).toEqual([
    { code: "csp_blocked", data: { directive: "trusted-types insitu" }, message: expect.stringContaining("trusted-types insitu") }, // biome-ignore format: one line
  ]);
  expect(native).toBe(true);
});

test("an address that the page vouches for is taken, and a function; a string is refused with what to pass", async () => {
  await visit("; trusted-types page");
  const { results } = await start(["trusted", "function", "string"]);
  expect(results).toEqual([
    { code: "ran" },
    { code: "ran" },
    expect.objectContaining({ code: "csp_blocked", message: expect.stringContaining("TrustedScriptURL") }),
  ]);
});

test("a default policy of the page serves the library too, which then makes none", async () => {
  await visit("; trusted-types default");
  expect((await start(["trusted", "default", "string"], "default")).results).toEqual([
    { code: "ran" },
    { code: "ran" },
    { code: "ran" },
  ]);
});
