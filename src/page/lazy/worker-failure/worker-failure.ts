// Explains why a worker did not start: by what the browser reported, and by what its address answers.
import { InsituError } from "../../../shared/errors.js";
import { withTimeout } from "../../lib/with-timeout.js";

/** Why a worker did not start, as far as that is known without asking its address. */
export interface WorkerFailure {
  /**
   * `unsupported`: there are no workers. `untrusted`: Trusted Types. `refused`: the browser threw. `script`: an error event. `late`: no message
   * came. `version`: another protocol.
   */
  kind: "unsupported" | "untrusted" | "refused" | "script" | "late" | "version";
  /** The script's address, where it is known. */
  url?: string;
  /** Whether a blob module of the page imports it from another origin. */
  isImported?: boolean;
  /** The address that the Content-Security-Policy blocked. */
  blocked?: string;
  /** Whether it is the worker beside the library, under Trusted Types. */
  isOwn?: boolean;
  /** Milliseconds that were waited. */
  timeout?: number;
  /** Protocol numbers of the two halves. */
  versions?: { page: number; worker: number };
  cause?: unknown;
}

const OPTION = 'createClient({ worker: "/worker.js" })';
const COPY = `Copy node_modules/insitu/dist/worker.js, with the folder wasm beside it, to where the page can fetch it, and pass ${OPTION}`;
const OWN_COPY = `serve worker.js from your own origin and pass ${OPTION}`;
/** Vite moves a dependency into this folder, without the files that it names by URL. */
const VITE = /\/\.vite\/deps[^/]*\//;
const VITE_OPTION = 'Add optimizeDeps: { exclude: ["insitu"] } to the Vite configuration';
// The failure is known already; this only finds out why.
const PROBE = { timeout: 5_000, what: "" };

/** Returns `worker_crashed`, `csp_blocked` or `timeout`, with the worker's address and what to do. Never rejects. */
export async function explainFailure(failure: WorkerFailure): Promise<InsituError> {
  const { kind, url, cause } = failure;
  const crashed = (message: string, data = {}) =>
    new InsituError("worker_crashed", message, { ...(url && { url }), ...data }, { cause });
  switch (kind) {
    case "unsupported":
      return crashed("There are no Web Workers here: on a server, load no model.");
    case "untrusted":
      return untrusted(failure);
    case "refused": {
      const detail = cause instanceof Error ? cause.message : String(cause);
      return crashed(`The worker was not created: ${detail}. You may ${OWN_COPY}.`);
    }
    case "version": {
      const { versions } = failure;
      const message = `The worker${at(url)} has protocol ${versions?.worker}, the page ${versions?.page}. Copy worker.js again.`;
      return crashed(message, versions);
    }
    case "late": {
      const { timeout } = failure;
      const message = `The worker${at(url)} did not answer within ${Number(timeout) / 1000} s. Is its script insitu's worker.js?`;
      return new InsituError("timeout", message, { timeout, ...(url && { url }) });
    }
    default:
      return failure.blocked === undefined ? notStarted(failure) : blocked(failure);
  }
}

const at = (url: string | undefined): string => (url ? ` ${url}` : "");

function untrusted({ isOwn, cause }: WorkerFailure): InsituError {
  const remedy = isOwn
    ? "a TrustedScriptURL. Or add trusted-types insitu to it, a policy for insitu's own worker"
    : "a TrustedScriptURL, or a function that creates the worker from one";
  const message = `The page's Content-Security-Policy requires Trusted Types (require-trusted-types-for 'script'). Pass createClient({ worker }) ${remedy}.`;
  return new InsituError("csp_blocked", message, { directive: "trusted-types insitu" }, { cause });
}

function blocked({ blocked = "", url, isImported }: WorkerFailure): InsituError {
  // For a script that has no address of its own the browser names its scheme.
  const origin = /^https?:/.test(blocked) ? new URL(blocked).origin : `${blocked.split(":")[0]}:`;
  // The imports of a module worker are checked by worker-src too.
  const also = isImported ? ` ${new URL(url as string).origin}` : "";
  const directive = `worker-src ${origin === globalThis.location?.origin ? "'self'" : origin}${also}`;
  const copy = isImported ? `, or ${OWN_COPY}` : "";
  const message = `The page's Content-Security-Policy blocks the worker ${blocked}. Add ${directive} to it${copy}.`;
  return new InsituError("csp_blocked", message, { directive, url: isImported ? url : blocked });
}

/** The script could not be fetched, was blocked without a report, or is not a script: browsers say nothing of which it was. */
async function notStarted({ url, isImported }: WorkerFailure): Promise<InsituError> {
  if (!url) {
    const message =
      "The worker that the function createClient({ worker }) returned did not start: its script could not be fetched, was blocked or is not a script. Check the address in it.";
    return new InsituError("worker_crashed", message);
  }
  const answer = await probe(url);
  const reason = answer ? reasonOf(answer, url) : unreachable(isImported);
  const message = `The worker's script ${url} did not start: ${reason}.`;
  const { status, type } = answer ?? {};
  return new InsituError("worker_crashed", message, { url, ...(status && { status, type }) });
}

interface Answer {
  status: number;
  ok: boolean;
  /** Content type without parameters, or "". */
  type: string;
  /** Whether the response lacks what an isolated page demands of a worker. */
  lacksIsolation: boolean;
  /** Where a redirect led to, if that is another origin. */
  movedTo?: string;
}

/** Undefined when the address cannot be fetched. */
async function probe(url: string): Promise<Answer | undefined> {
  try {
    return await withTimeout(PROBE, async (signal) => {
      const response = await fetch(url, { signal });
      const { status, ok, headers, redirected } = response;
      await response.body?.cancel();
      const policy = headers.get("cross-origin-embedder-policy") ?? "";
      return {
        status,
        ok,
        type: (headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "",
        lacksIsolation: globalThis.crossOriginIsolated === true && !/require-corp|credentialless/.test(policy),
        ...(redirected && new URL(response.url).origin !== new URL(url).origin && { movedTo: response.url }),
      };
    });
  } catch {
    return undefined;
  }
}

function unreachable(isImported: boolean | undefined): string {
  return isImported
    ? `it could not be imported. Its host must send Access-Control-Allow-Origin, and worker-src allow it. Or ${OWN_COPY}`
    : "it could not be fetched. Check the address, the connection and the page's Content-Security-Policy";
}

// https://mimesniff.spec.whatwg.org/#javascript-mime-type, the ones that are in use.
const SCRIPT = /^(text|application)\/(x-)?(javascript|ecmascript)$/;

function reasonOf({ status, ok, type, lacksIsolation, movedTo }: Answer, url: string): string {
  const missing = VITE.test(url) ? VITE_OPTION : COPY;
  if (!ok)
    return `the server answers HTTP ${status}. ${status === 404 || VITE.test(url) ? missing : "Check the address and who may fetch it"}`;
  if (movedTo)
    return `the server redirects to ${movedTo}, and a worker must be of the page's own origin. Serve it there`;
  if (type === "text/html") return `the server answers with an HTML page, as for a file that is missing. ${missing}`;
  if (!SCRIPT.test(type))
    return `the server sends it as ${type || "no content type"}, which browsers do not run. Send Content-Type: text/javascript`;
  if (lacksIsolation)
    return "the page is cross-origin isolated, and the script is sent without the same header. Send Cross-Origin-Embedder-Policy with it too";
  if (VITE.test(url)) return `Vite has moved the library and not what it loads. ${VITE_OPTION}`;
  return "the file is there, but is not a script that runs, or imports one that does not. Check that it is the whole worker.js of this version, and the worker-src policy";
}
