// Makes the worker, also where Trusted Types are required, and knows when the Content-Security-Policy forbids it.
import { InsituError } from "../../shared/errors.js";
import type { WorkerSource } from "../api-types.js";

export interface CreatedWorker {
  worker: Worker;
  /** Why the browser refuses to run the script, where it has said so. */
  blocked(): InsituError | undefined;
  /** Stops listening for that. */
  settled(): void;
}

/** Throws `worker_crashed` or `csp_blocked`. */
export function createWorker(source: WorkerSource | undefined): CreatedWorker {
  if (typeof Worker === "undefined") {
    throw new InsituError(
      "worker_crashed",
      "insitu needs Web Workers, and there are none here. On a server, create the client in the browser only.",
    );
  }
  // The error event of a worker that was blocked says nothing; the violation comes before it.
  const target: EventTarget = globalThis.document ?? globalThis;
  let blocked: InsituError | undefined;
  const onViolation = (event: Event) => {
    const { disposition, effectiveDirective, blockedURI } = event as SecurityPolicyViolationEvent;
    if (disposition === "enforce" && effectiveDirective === "worker-src") blocked ??= blockedScript(blockedURI);
  };
  const settled = () => target.removeEventListener("securitypolicyviolation", onViolation);
  target.addEventListener("securitypolicyviolation", onViolation);
  try {
    return { worker: make(source), blocked: () => blocked, settled };
  } catch (error) {
    settled();
    throw error;
  }
}

function make(source: WorkerSource | undefined): Worker {
  try {
    if (typeof source === "function") return source();
    // The types of the constructor do not know trusted addresses.
    if (source) return new Worker(source as string | URL, { type: "module" });
    // The plain way would be reported as a violation again.
    return trusted === undefined ? bundled() : trustedly();
  } catch (error) {
    // Any other reason to refuse an address has another type.
    if (!(error instanceof TypeError) || !trustedTypes()) throw crashed(error);
    if (source) throw untrusted("a TrustedScriptURL, or a function that makes the worker from one", error);
    return trustedly();
  }
}

// Keep this expression whole: bundlers find the worker by its exact shape.
const bundled = () => new Worker(new URL("./worker.js", import.meta.url), { type: "module" });

function crashed(cause: unknown): InsituError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  const message = `The worker could not be started: ${detail}. A worker must come from the page's own origin; pass createClient({ worker }).`;
  return new InsituError("worker_crashed", message, {}, { cause });
}

function blockedScript(uri: string): InsituError {
  // For a script that has no address of its own the browser names its scheme.
  const isAddress = /^https?:/.test(uri);
  const origin = isAddress ? new URL(uri).origin : `${uri}:`;
  const directive = `worker-src ${origin === globalThis.location?.origin ? "'self'" : origin}`;
  const message = `The page's Content-Security-Policy blocks the worker ${uri}. Add ${directive} to it.`;
  return new InsituError("csp_blocked", message, { directive, url: uri });
}

// ---- Trusted Types -----------------------------------------------------------------------------------------------

interface PolicyFactory {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): unknown };
}

const POLICY = "insitu";
/** A page may make a policy of one name once only. */
let trusted: unknown;

const trustedTypes = () => (globalThis as { trustedTypes?: PolicyFactory }).trustedTypes;

function trustedly(): Worker {
  try {
    if (trusted === undefined) {
      const address = addressOf(bundled);
      // It vouches for one address whatever it is asked, so that nobody can use it for another.
      const policy = trustedTypes()?.createPolicy(POLICY, { createScriptURL: () => address });
      trusted = policy?.createScriptURL(address);
    }
    return new Worker(trusted as string, { type: "module" });
  } catch (error) {
    throw untrusted(
      `a TrustedScriptURL. Or add trusted-types ${POLICY} to it, a policy for insitu's own worker`,
      error,
    );
  }
}

/** The address that a bundler put into the expression. A second `new URL` of it would make bundlers ship a second worker. */
function addressOf(expression: () => Worker): string {
  const native = globalThis.Worker;
  let address = "";
  // Nothing else runs until it is put back.
  globalThis.Worker = class {
    constructor(url: string | URL) {
      address = String(url);
    }
  } as unknown as typeof Worker;
  try {
    expression();
  } finally {
    globalThis.Worker = native;
  }
  return new URL(address, globalThis.document?.baseURI).href;
}

function untrusted(pass: string, cause: unknown): InsituError {
  const directive = `trusted-types ${POLICY}`;
  const message = `The page's Content-Security-Policy requires Trusted Types (require-trusted-types-for 'script'). Pass createClient({ worker }) ${pass}.`;
  return new InsituError("csp_blocked", message, { directive }, { cause });
}
