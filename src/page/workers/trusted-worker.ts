// Creates insitu's own worker in pages that require Trusted Types.
import { InsituError } from "../../shared/errors.js";

interface PolicyFactory {
  readonly defaultPolicy: unknown;
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): unknown };
}

const POLICY = "insitu";
/** Undefined in browsers without Trusted Types. */
export const policyFactory = (globalThis as { trustedTypes?: PolicyFactory }).trustedTypes;
/** Kept, since a page may create a policy of one name only once. */
let trusted: unknown;

/**
 * True where insitu's policy is tried before the plain way: pages cannot ask whether they require Trusted Types, and a string that is not
 * trusted is reported as a violation. A default policy of the page may allow the string.
 */
export function mayTrust(): boolean {
  return policyFactory?.defaultPolicy === null;
}

/** Throws `csp_blocked` where the page does not allow the policy. `address` is called once in the page's life. */
export function createTrusted(address: () => string, options: WorkerOptions | undefined): Worker {
  try {
    if (trusted === undefined) {
      const url = address();
      // It returns one address whatever it is given, so that nobody can use it for another.
      trusted = policyFactory?.createPolicy(POLICY, { createScriptURL: () => url }).createScriptURL(url);
    }
    return new Worker(trusted as string, options);
  } catch (error) {
    throw trustError(`a TrustedScriptURL. Or add trusted-types ${POLICY} to it`, error);
  }
}

export function trustError(remedy: string, cause: unknown): InsituError {
  const directive = `trusted-types ${POLICY}`;
  const message = `The page's Content-Security-Policy requires Trusted Types (require-trusted-types-for 'script'). Pass createClient({ worker }) ${remedy}.`;
  return new InsituError("csp_blocked", message, { directive }, { cause });
}
