// Decides which versions of a package may run, and in which order: the stored one, the host's, an earlier one.
import { asInsituError, InsituError, isInsituError } from "../../shared/errors.js";
import type { Manifest } from "../../shared/types/manifest.js";
import type { ModelInfo, PackageRequest, TrustOptions } from "../../shared/types/model.js";
import { digestOf } from "./canonical-json.js";
import { chunkDownload } from "./download/chunk-download.js";
import { downloadText } from "./download/download-text.js";
import { withRequest } from "./download/with-request.js";
import { MAX_MANIFEST_BYTES, parseManifest } from "./manifest.js";
import { type Accepted, downloadedPackage, type Package, type PackageContext, storedPackage } from "./package.js";
import { checkExpiry, checkRelease, checkSignatures } from "./trust.js";

export interface LoadContext extends PackageContext {
  /** Tells the stores of one origin apart, whose loads need not wait for each other. */
  storeName: string;
  trust?: TrustOptions;
  /** How the files are requested. Never stored, and never part of a message. */
  request?: PackageRequest;
}

/** A version of a package that may run. Whoever tries it calls `accept` or `reject`, once. */
export interface Candidate {
  package: Package;
  /** Set where a newer version was rejected before. */
  fellBackFrom?: ModelInfo["fellBackFrom"];
  /** Says that it runs. Resolves once it is kept as a version that runs: with nothing, or with why it is not. Never rejects. */
  accept(): Promise<InsituError | undefined>;
  /** Says why it does not run. The next candidate follows where the error speaks for another version; else the sequence throws it. */
  reject(error: unknown): void;
}

/** One load: what it has tried, and with what result. */
interface Load extends LoadContext {
  url: string;
  refresh: boolean;
  /** Digests of stored versions that do not help. */
  tried: Set<string>;
  /** The newest version that no backend runs. */
  failure?: { manifest: Manifest; error: InsituError };
  /** Why the newest stored version was not used. */
  reason?: InsituError;
}

type Candidates = AsyncGenerator<Candidate, void, void>;

/**
 * The versions of the package at `url` that may run, best first. Leave the loop once one was accepted: the sequence never ends by
 * itself, but throws why no version runs. A version rejected with `backend_unavailable` is followed by earlier ones.
 * @param url - Absolute, ends with a slash: the key in the store.
 * @param refresh - False: a stored version is used without a request. True: the host is asked for a newer release first, and the
 * stored one is used where it cannot be reached.
 */
export async function* candidates(url: string, refresh: boolean, context: LoadContext): Candidates {
  const ports = context.request ? withRequest(context.ports, context.request) : context.ports;
  const load: Load = { ...context, ports, url, refresh, tried: new Set() };
  try {
    if (!refresh) yield* fromStore(load);
    if (load.failure) throw load.failure.error;
    const reason = load.reason ?? load.store.problem();
    if (!refresh) load.emit({ type: "miss", url, reason: reason?.message ?? "it is not stored" });
    yield* fromHostOrStore(load);
  } catch (error) {
    throw asInsituError(error, load.signal.aborted ? "aborted" : "unknown", `Loading ${url} stopped`, { url });
  }
}

/** Yields one version, and returns where no backend runs it; throws any other reason. */
async function* offer(load: Load, found: Package, onAccept?: () => void): Candidates {
  const { url, store, failure } = load;
  const { manifest, digest } = found;
  let result: { error: unknown } | "accepted" | undefined;
  try {
    yield {
      package: found,
      fellBackFrom: failure && {
        version: failure.manifest.version,
        release: failure.manifest.release,
        reason: failure.error.message,
      },
      accept() {
        result = "accepted";
        found.settled();
        onAccept?.();
        return found.stored.then(async (problem) => {
          // Also where it is in memory only: this frees it there.
          await store.proved(url, digest).catch(() => undefined);
          return problem;
        });
      },
      reject(error) {
        result = { error };
        found.settled();
      },
    };
  } finally {
    // The loop was left without a word.
    if (!result) found.discard();
  }
  if (typeof result !== "object") return;
  load.tried.add(digest);
  const { error } = result;
  if (!isInsituError(error) || error.code !== "backend_unavailable") {
    found.discard();
    throw error;
  }
  load.failure ??= { manifest, error };
}

// ---- from the store ----------------------------------------------------------------------------------------------

async function* fromStore(load: Load): Candidates {
  const { url } = load;
  for (let found = await nextStored(load); found; found = await nextStored(load)) {
    const { digest } = found;
    try {
      yield* offer(load, found, () => load.emit({ type: "hit", url, digest }));
    } catch (error) {
      if (load.signal.aborted || !isUnusable(error)) throw error;
      load.reason ??= error;
    }
  }
}

/** A version whose content is lost: an earlier one, or the host, may do. */
function isUnusable(error: unknown): error is InsituError {
  return isInsituError(error) && error.code === "storage_corrupt";
}

/** The newest stored version that was not tried and may be used. */
async function nextStored(load: Load): Promise<Package | undefined> {
  const { url, store, tried } = load;
  for (const row of await store.versions(url)) {
    if (tried.has(row.digest)) continue;
    try {
      const accepted = await accept(row.text, load);
      if (accepted.digest !== row.digest) throw new InsituError("storage_corrupt", "The stored manifest was altered.");
      return await storedPackage(url, accepted, load);
    } catch (error) {
      if (load.signal.aborted) throw error;
      tried.add(row.digest);
      load.reason ??= asInsituError(error, "storage_corrupt", "The stored version cannot be used");
    }
  }
  return undefined;
}

/** Parses a manifest, and checks that it may be used. */
async function accept(text: string, { url, trust, ports }: Load): Promise<Accepted> {
  const where = manifestUrl(url);
  const manifest = parseManifest(text, where);
  if (trust) await checkSignatures(text, manifest, trust, where);
  checkExpiry(manifest, ports.now(), where);
  return { manifest, text, digest: await digestOf(text) };
}

const manifestUrl = (url: string) => `${url}insitu.json`;

// ---- from the host -----------------------------------------------------------------------------------------------

const UNREACHABLE = new Set(["network", "timeout", "http_5xx"]);

async function* fromHostOrStore(load: Load): Candidates {
  // While the manifest is on its way; a failure is reported where it is used.
  void chunkDownload().catch(() => undefined);
  try {
    yield* fromHost(load);
  } catch (error) {
    if (load.signal.aborted || !isInsituError(error) || error === load.failure?.error) throw error;
    const isUnreachable = UNREACHABLE.has(error.code);
    if (load.refresh && isUnreachable) yield* fromStore(load);
    // A host that answers wrongly must be reported.
    if (!load.reason || !(isUnreachable || isUnusable(load.reason))) throw error;
    const { code, message, data } = load.reason;
    throw new InsituError(code, `${message} Its host did not help: ${error.message}`, data, { cause: error });
  }
}

async function* fromHost(load: Load, failed?: Failed): Candidates {
  const found = await begin(load, failed);
  try {
    yield* offer(load, found);
    yield* fromStore(load);
  } catch (error) {
    if (load.signal.aborted || failed || !isOutdated(error)) throw error;
    yield* fromHost(load, { digest: found.digest, error });
  }
  throw load.failure?.error;
}

/** A version that could not be fetched, although its manifest could. */
interface Failed {
  digest: string;
  error: unknown;
}

/** The host may have published the next release meanwhile: then its files are right, or gone, for a manifest that is new too. */
function isOutdated(error: unknown): boolean {
  return isInsituError(error) && ["model_integrity", "http_4xx", "storage_corrupt"].includes(error.code);
}

/** The host's version, its download begun; or one that another tab has stored while this one waited for the lock. */
function begin(load: Load, failed?: Failed): Promise<Package> {
  return underLock(load, async () => {
    const there = load.refresh || failed ? undefined : await nextStored(load);
    if (there) return there;
    const { url, signal, ports, store } = load;
    const [text, floor, versions] = await Promise.all([
      downloadText(manifestUrl(url), MAX_MANIFEST_BYTES, signal, ports),
      store.floor(url),
      store.versions(url),
    ]);
    const accepted = await accept(text, load);
    if (accepted.digest === failed?.digest) throw failed.error;
    checkRelease(accepted.manifest, floor, manifestUrl(url));
    const stored = versions.find((row) => row.digest === accepted.digest);
    if (!stored) return downloadedPackage(url, accepted, load);
    // Signed anew, which the digest does not tell: without the new text each load would ask the host again.
    if (stored.text !== text) await store.commit({ ...stored, text }).catch(() => undefined);
    return storedPackage(url, accepted, load);
  });
}

/**
 * One download of a package at a time, over all tabs, by a Web Lock: it is released when all is stored, not when the model runs,
 * and when the tab dies.
 */
function underLock({ url, storeName, signal }: Load, get: () => Promise<Package>): Promise<Package> {
  // Absent in pages that are not served by HTTPS; then two tabs may fetch the same bytes twice.
  if (!globalThis.navigator?.locks) return get();
  return new Promise((resolve, reject) => {
    let granted = false;
    const locked = navigator.locks.request(`insitu:${storeName}:${url}`, { signal }, async () => {
      granted = true;
      const found = await get();
      resolve(found);
      await found.stored;
    });
    // Chrome refuses all locks (SecurityError) where a page may store nothing: it runs from memory then, as without locks.
    locked.catch((error: unknown) => (granted || signal.aborted ? reject(error) : get().then(resolve, reject)));
  });
}
