// Creates insitu's own worker in pages that require Trusted Types.
import type { WorkerFailure } from "../lazy/worker-failure/worker-failure.js";

interface PolicyFactory {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): unknown };
}

const POLICY = "insitu";
/** Kept, since a page may create a policy of one name only once. */
let trusted: unknown;

/** True once the page was found to require Trusted Types: the plain way would be reported as a violation again. */
export function needsTrust(): boolean {
  return trusted !== undefined;
}

/** Throws an `untrusted` {@link WorkerFailure} where the page does not allow the policy. `address` is called once in the page's life. */
export function createTrusted(address: () => string): Worker {
  try {
    if (trusted === undefined) {
      const url = address();
      const { trustedTypes } = globalThis as { trustedTypes?: PolicyFactory };
      // It returns one address whatever it is given, so that nobody can use it for another.
      trusted = trustedTypes?.createPolicy(POLICY, { createScriptURL: () => url }).createScriptURL(url);
    }
    return new Worker(trusted as string, { type: "module" });
  } catch (cause) {
    throw { kind: "untrusted", isOwn: true, cause } satisfies WorkerFailure;
  }
}
