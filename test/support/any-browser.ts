// A page of any browser: one way to run code in it, whatever drives the browser.
import type { Page } from "playwright";

/** A page of any browser, for the helpers that only run code in it. Values cross as JSON. */
export type PageRunner = Pick<Page, "evaluate">;

export interface AnyBrowser {
  /** Such as `153.8.0`. */
  version: string;
  page: PageRunner;
  goto(url: string): Promise<void>;
  close(): Promise<void>;
}

/** @param run runs a script whose value is a promise of a string, and resolves with that string. */
export function pageRunner(run: (script: string) => Promise<string>): PageRunner {
  const evaluate = async (code: string | ((arg: unknown) => unknown), arg?: unknown): Promise<unknown> => {
    const value = typeof code === "string" ? code : `(${code})(${JSON.stringify(arg)})`;
    const script = `(async () => {
      try { return JSON.stringify({ value: await ${value} }); }
      catch (error) { return JSON.stringify({ error: String(error?.stack ?? error) + " " + String(error) }); }
    })()`;
    const result = JSON.parse(await run(script)) as { value?: unknown; error?: string };
    if (result.error !== undefined) throw new Error(result.error);
    return result.value;
  };
  return { evaluate: evaluate as Page["evaluate"] };
}
