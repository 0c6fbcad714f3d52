// Creates the worker, also from another origin and under Trusted Types, and reports why its script did not start.
import { InsituError } from "../../shared/errors.js";
import { invalidOption } from "../../shared/invalid-option.js";
import { parseUrl } from "../../shared/parse-url.js";
import type { WorkerSource } from "../api-types.js";
import { createTrusted, mayTrust, policyFactory, trustError } from "./trusted-worker.js";

export interface CreatedWorker {
  worker: Worker;
  /** Why the script did not start: what the browser blocked, else the likely causes. */
  failure(): InsituError;
  /** Frees what was needed to start. */
  settled(): void;
}

interface Started {
  worker: Worker;
  /** Address on another origin that a blob module of this page imports. */
  imported?: string;
  release?(): void;
}

/** Throws `worker_crashed` or `csp_blocked`. */
export function createWorker(source: WorkerSource | undefined): CreatedWorker {
  if (typeof Worker === "undefined") {
    const message = "There are no Web Workers here: on a server, load no model.";
    throw new InsituError("worker_crashed", message);
  }
  // The error event of a worker that was blocked has no details; the violation comes before it.
  const target: EventTarget = globalThis.document ?? globalThis;
  let blocked: string | undefined;
  const onViolation = (event: Event) => {
    const { disposition, effectiveDirective, blockedURI } = event as SecurityPolicyViolationEvent;
    if (disposition === "enforce" && effectiveDirective === "worker-src") blocked ??= blockedURI;
  };
  const stopListening = () => target.removeEventListener("securitypolicyviolation", onViolation);
  target.addEventListener("securitypolicyviolation", onViolation);
  try {
    const { worker, imported, release } = start(source);
    return {
      worker,
      failure: () => (blocked === undefined ? noScript(imported) : blockedScript(blocked, imported)),
      settled() {
        stopListening();
        release?.();
      },
    };
  } catch (error) {
    stopListening();
    throw error;
  }
}

function start(source: WorkerSource | undefined): Started {
  try {
    if (typeof source === "function") return { worker: checked(source()) };
    if (source === undefined) {
      try {
        if (mayTrust()) return trusted();
      } catch {
        // A page that does not allow the policy may not need it either.
      }
      return { worker: bundled() };
    }
    const address = typeof source === "string" || source instanceof URL ? absolute(source) : undefined;
    if (address && isElsewhere(address)) return viaBlob(address);
    // The types of the constructor do not know trusted addresses.
    return { worker: new Worker(source as string | URL, { type: "module" }) };
  } catch (error) {
    if (error instanceof InsituError) throw error;
    // A page may not start a worker from another origin: the library was loaded from a CDN.
    if (source === undefined && (error as DOMException).name === "SecurityError") return viaBlob(addressOf(bundled));
    // Any other reason to refuse an address has another type.
    if (!(error instanceof TypeError) || !policyFactory) throw notCreated(error);
    if (source) throw trustError("a TrustedScriptURL, or a function that creates the worker from one", error);
    return trusted();
  }
}

// Keep this expression whole: bundlers find the worker by its exact shape.
const bundled = () => new Worker(new URL("./worker.js", import.meta.url), { type: "module" });

/** A bundler may have made a classic script of the worker, and then starts it as such. */
let bundledOptions: WorkerOptions | undefined;

function trusted(): Started {
  const address = addressOf(bundled);
  const imported = isElsewhere(address) ? address : undefined;
  const worker = imported
    ? createTrusted(() => blobAddress(imported), { type: "module" })
    : createTrusted(() => address, bundledOptions);
  return { worker, imported };
}

/** A module of this page's own origin may be a worker, and may import a module of another origin that allows it by CORS. */
function viaBlob(imported: string): Started {
  const address = blobAddress(imported);
  return {
    worker: new Worker(address, { type: "module" }),
    imported,
    release: () => URL.revokeObjectURL(address),
  };
}

function blobAddress(imported: string): string {
  return URL.createObjectURL(new Blob([`import ${JSON.stringify(imported)};`], { type: "text/javascript" }));
}

/** A function may have returned anything, such as a promise of a worker. */
function checked(worker: Worker): Worker {
  if (typeof worker?.terminate === "function") return worker;
  throw invalidOption("worker", worker, "a function that returns a Worker");
}

/** Throws `input_invalid`. */
function absolute(address: string | URL): string {
  const url = parseUrl(String(address), globalThis.document?.baseURI);
  if (url) return url.href;
  throw invalidOption("worker", address, "the address of worker.js");
}

/** True for an http address of another origin than the page's. */
function isElsewhere(address: string): boolean {
  return /^https?:/.test(address) && new URL(address).origin !== globalThis.location?.origin;
}

/** The address that a bundler put into the expression. A second `new URL` of it would make bundlers ship a second worker. */
function addressOf(expression: () => Worker): string {
  const native = globalThis.Worker;
  let address = "";
  // Nothing else runs until it is put back.
  globalThis.Worker = class {
    constructor(url: string | URL, given?: WorkerOptions) {
      address = String(url);
      bundledOptions = given;
    }
  } as unknown as typeof Worker;
  try {
    expression();
  } finally {
    globalThis.Worker = native;
  }
  return absolute(address);
}

const OWN_COPY = 'serve worker.js from your own origin and pass createClient({ worker: "/worker.js" })';

function notCreated(cause: unknown): InsituError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  const message = `The worker was not created: ${detail}; ${OWN_COPY}.`;
  return new InsituError("worker_crashed", message, {}, { cause });
}

function noScript(imported: string | undefined): InsituError {
  const message = imported
    ? `The worker's script ${imported} could not be imported. Its host must send Access-Control-Allow-Origin, and worker-src allow it. Or ${OWN_COPY}.`
    : "The worker's script could not be fetched, was blocked or is not a script. Check its address and worker-src.";
  return new InsituError("worker_crashed", message, imported ? { url: imported } : {});
}

function blockedScript(uri: string, imported: string | undefined): InsituError {
  // For a script that has no address of its own the browser names its scheme.
  const origin = /^https?:/.test(uri) ? new URL(uri).origin : `${uri.split(":")[0]}:`;
  // The imports of a module worker are checked by worker-src too.
  const also = imported ? ` ${new URL(imported).origin}` : "";
  const directive = `worker-src ${origin === globalThis.location?.origin ? "'self'" : origin}${also}`;
  const copy = imported ? `, or ${OWN_COPY}` : "";
  const message = `The page's Content-Security-Policy blocks the worker ${uri}. Add ${directive} to it${copy}.`;
  return new InsituError("csp_blocked", message, { directive, url: imported ?? uri });
}
