// Creates the worker, also from another origin and under Trusted Types, and tells why its script did not start.
import { InsituError } from "../../shared/errors.js";
import { invalidOption } from "../../shared/invalid-option.js";
import { parseUrl } from "../../shared/parse-url.js";
import type { WorkerSource } from "../api-types.js";
import { isInstanceOf, typeOf } from "../input/capture-image.js";
import type { WorkerFailure } from "../lazy/worker-failure/worker-failure.js";
import { loadChunk } from "../lib/load-chunk.js";
import { createTrusted, mayTrust } from "./trusted-worker.js";

/** The error of a failure; its text is fetched, since it is seldom needed. Never rejects. */
export const workerError = (failure: WorkerFailure): Promise<InsituError> =>
  loadChunk(import("../lazy/worker-failure/worker-failure.js")).then(
    ({ explainFailure }) => explainFailure(failure),
    () =>
      new InsituError("worker_crashed", `The worker ${failure.url ?? ""} did not start: ${failure.kind}.`, {
        url: failure.url,
      }),
  );

export interface CreatedWorker {
  worker: Worker;
  /** What is known of the script, and what the browser has blocked by now. */
  facts(): Omit<WorkerFailure, "kind">;
  /** Frees what was needed to start. */
  settled(): void;
}

interface Started {
  worker: Worker;
  /** The script's address, where it is not that of the bundled worker. */
  url?: string;
  isImported?: boolean;
  release?(): void;
}

/** Throws `input_invalid`, or a {@link WorkerFailure}. */
export function createWorker(source: WorkerSource | undefined): CreatedWorker {
  if (typeof Worker === "undefined") throw { kind: "unsupported" } satisfies WorkerFailure;
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
    const { worker, release, ...known } = start(source);
    return {
      worker,
      facts: () => ({ url: source ? undefined : addressOf(bundled), ...known, blocked }),
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
  let url: string | undefined;
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
    url = absolute(source);
    // An address that the page trusts must stay what it is.
    if (isElsewhere(url) && !isInstanceOf(source, "TrustedScriptURL")) return viaBlob(url);
    // The types of the constructor do not know trusted addresses.
    return { worker: new Worker(source as string, { type: "module" }), url };
  } catch (cause) {
    if (cause instanceof InsituError) throw cause;
    // A page may not start a worker from another origin: the library was loaded from a CDN.
    if (source === undefined && (cause as DOMException).name === "SecurityError") return viaBlob(addressOf(bundled));
    // Any other reason to refuse an address has another type.
    if (!(cause instanceof TypeError) || !("trustedTypes" in globalThis))
      throw { kind: "refused", url, cause } satisfies WorkerFailure;
    if (source) throw { kind: "untrusted", cause } satisfies WorkerFailure;
    return trusted();
  }
}

// Keep this expression whole: bundlers find the worker by its exact shape.
const bundled = () => new Worker(new URL("./worker.js", import.meta.url), { type: "module" });

/** A bundler may have made a classic script of the worker, and then starts it as such. */
let bundledOptions: WorkerOptions | undefined;

function trusted(): Started {
  const url = addressOf(bundled);
  const isImported = isElsewhere(url);
  const worker = isImported
    ? createTrusted(() => blobAddress(url), { type: "module" })
    : createTrusted(() => url, bundledOptions);
  return { worker, isImported };
}

/** A module of this page's own origin may be a worker, and may import a module of another origin that allows it by CORS. */
function viaBlob(url: string): Started {
  const address = blobAddress(url);
  return {
    worker: new Worker(address, { type: "module" }),
    url,
    isImported: true,
    release: () => URL.revokeObjectURL(address),
  };
}

function blobAddress(url: string): string {
  return URL.createObjectURL(new Blob([`import ${JSON.stringify(url)};`], { type: "text/javascript" }));
}

/** A function may have returned anything, such as a promise of a worker. */
function checked(worker: Worker): Worker {
  if (typeof worker?.terminate === "function") return worker;
  throw invalidOption("worker", worker, "a function that returns a Worker");
}

/** Throws `input_invalid`. */
function absolute(address: unknown): string {
  const isAddress = /^(String|URL|TrustedScriptURL)$/.test(typeOf(address));
  const url = isAddress && parseUrl(String(address), globalThis.document?.baseURI);
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
