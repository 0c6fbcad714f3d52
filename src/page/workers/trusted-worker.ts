// Creates insitu's own worker in pages that require Trusted Types.
import type { WorkerFailure } from "../lazy/worker-failure/worker-failure.js";

interface PolicyFactory {
  readonly defaultPolicy: unknown;
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): unknown };
}

const POLICY = "insitu";
/** Undefined in browsers without Trusted Types. */
const { trustedTypes: policyFactory } = globalThis as { trustedTypes?: PolicyFactory };
/** Kept, since a page may create a policy of one name only once. */
let trusted: unknown;

/**
 * True where insitu's policy is tried before the plain way: pages cannot ask whether they require Trusted Types, and a string that is not
 * trusted is reported as a violation. A default policy of the page may allow the string.
 */
export function mayTrust(): boolean {
  return policyFactory?.defaultPolicy === null;
}

/** Throws an `untrusted` {@link WorkerFailure} where the page does not allow the policy. `address` is called once in the page's life. */
export function createTrusted(address: () => string, options: WorkerOptions | undefined): Worker {
  try {
    if (trusted === undefined) {
      const url = address();
      // It returns one address whatever it is given, so that nobody can use it for another.
      trusted = policyFactory?.createPolicy(POLICY, { createScriptURL: () => url }).createScriptURL(url);
    }
    return new Worker(trusted as string, options);
  } catch (cause) {
    throw { kind: "untrusted", isOwn: true, cause } satisfies WorkerFailure;
  }
}
