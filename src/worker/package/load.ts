// Decides which version of a package runs: the stored one, the host's, or an earlier one that is still good.
import { asInsituError, InsituError, isInsituError } from "../../shared/errors.js";
import type { Manifest } from "../../shared/types/manifest.js";
import type { ModelInfo, TrustOptions } from "../../shared/types/model.js";
import { digestOf } from "./canonical-json.js";
import { downloadText } from "./download/download-text.js";
import { MAX_MANIFEST_BYTES, parseManifest } from "./manifest.js";
import { type Accepted, downloadedPackage, type Package, type PackageContext, storedPackage } from "./package.js";
import { checkExpiry, checkRelease, checkSignatures } from "./trust.js";

export interface LoadContext<T> extends PackageContext {
  /** Tells apart the stores of one origin, whose loads need not wait for each other. */
  storeName: string;
  trust?: TrustOptions;
  /** Makes a version run. Rejects with `backend_unavailable` where no backend does, which speaks for an earlier version. */
  open(found: Package): Promise<T>;
}

export interface Loaded<T> {
  opened: T;
  found: Package;
  fellBackFrom?: ModelInfo["fellBackFrom"];
  /** Settles once the version is kept as one that runs: with nothing, or with why it is not. Never rejects. */
  kept: Promise<InsituError | undefined>;
}

/** One load: what it has tried, and with what result. */
interface Load<T> extends LoadContext<T> {
  url: string;
  refresh: boolean;
  /** Digests of stored versions that do not help. */
  tried: Set<string>;
  /** The newest version that no backend runs. */
  failure?: { manifest: Manifest; error: InsituError };
  /** Why the newest stored version was not used. */
  reason?: InsituError;
}

/**
 * `url` is absolute and ends with a slash. Without `refresh` a stored version that may be used is loaded, and no request made;
 * with it the host is asked for a newer release first, and where it cannot be reached the stored one runs.
 */
export async function loadPackage<T>(url: string, refresh: boolean, context: LoadContext<T>): Promise<Loaded<T>> {
  const load: Load<T> = { ...context, url, refresh, tried: new Set() };
  try {
    const stored = refresh ? undefined : await fromStore(load);
    if (stored) return stored;
    if (load.failure) throw load.failure.error;
    const reason = load.reason ?? load.store.problem();
    if (!refresh) load.emit({ type: "miss", url, reason: reason?.message ?? "it is not stored" });
    return await fromHostOrElse(load);
  } catch (error) {
    throw asInsituError(error, load.signal.aborted ? "aborted" : "unknown", `Loading ${url} stopped`, { url });
  }
}

/** Undefined, and a `failure`, where no backend runs this version. */
async function run<T>(load: Load<T>, found: Package): Promise<Loaded<T> | undefined> {
  const { url, store, failure } = load;
  const { manifest, digest } = found;
  try {
    const opened = await load.open(found).finally(found.settled);
    const kept = found.stored.then(async (problem) => {
      // Also where it is in memory only: there it is freed by this.
      await store.proved(url, digest).catch(() => undefined);
      return problem;
    });
    if (!failure) return { opened, found, kept };
    const { version, release } = failure.manifest;
    return { opened, found, kept, fellBackFrom: { version, release, reason: failure.error.message } };
  } catch (error) {
    load.tried.add(digest);
    if (!isInsituError(error) || error.code !== "backend_unavailable") {
      found.discard();
      throw error;
    }
    load.failure ??= { manifest, error };
    return undefined;
  }
}

// ---- from the store ----------------------------------------------------------------------------------------------

async function fromStore<T>(load: Load<T>): Promise<Loaded<T> | undefined> {
  for (;;) {
    const found = await nextStored(load);
    if (!found) return undefined;
    try {
      const loaded = await run(load, found);
      if (!loaded) continue;
      load.emit({ type: "hit", url: load.url, digest: found.digest });
      return loaded;
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
async function nextStored<T>(load: Load<T>): Promise<Package | undefined> {
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

/** Reads, checks and judges a manifest. */
async function accept<T>(text: string, { url, trust, ports }: Load<T>): Promise<Accepted> {
  const where = manifestUrl(url);
  const manifest = parseManifest(text, where);
  if (trust) await checkSignatures(text, manifest, trust, where);
  checkExpiry(manifest, ports.now(), where);
  return { manifest, text, digest: await digestOf(text) };
}

const manifestUrl = (url: string) => new URL("insitu.json", url).href;

// ---- from the host -----------------------------------------------------------------------------------------------

const UNREACHABLE = new Set(["network", "timeout", "http_5xx"]);

async function fromHostOrElse<T>(load: Load<T>): Promise<Loaded<T>> {
  try {
    return await fromHost(load);
  } catch (error) {
    if (load.signal.aborted || !isInsituError(error) || error === load.failure?.error) throw error;
    const isUnreachable = UNREACHABLE.has(error.code);
    const earlier = load.refresh && isUnreachable ? await fromStore(load) : undefined;
    if (earlier) return earlier;
    // A host that answers wrongly is not passed over in silence.
    if (!load.reason || !(isUnreachable || isUnusable(load.reason))) throw error;
    const { code, message, data } = load.reason;
    throw new InsituError(code, `${message} Its host did not help: ${error.message}`, data, { cause: error });
  }
}

async function fromHost<T>(load: Load<T>, failed?: Failed): Promise<Loaded<T>> {
  const found = await begin(load, failed);
  try {
    const loaded = (await run(load, found)) ?? (await fromStore(load));
    if (loaded) return loaded;
  } catch (error) {
    if (load.signal.aborted || failed || !isOutdated(error)) throw error;
    return fromHost(load, { digest: found.digest, error });
  }
  throw load.failure?.error;
}

/** A version that could not be had, although its manifest could. */
interface Failed {
  digest: string;
  error: unknown;
}

/** The host may have published the next release meanwhile: then its files are right, or gone, for a manifest that is new too. */
function isOutdated(error: unknown): boolean {
  return isInsituError(error) && ["model_integrity", "http_4xx", "storage_corrupt"].includes(error.code);
}

/** The host's version, its download begun; or one that another tab has stored while this one waited for its turn. */
function begin<T>(load: Load<T>, failed?: Failed): Promise<Package> {
  return inTurn(load, async () => {
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
 * One download of a package at a time, over all tabs: the turn is over when all is stored, not when the model runs. A tab that
 * dies passes its turn on.
 */
function inTurn<T>({ url, storeName, signal }: Load<T>, get: () => Promise<Package>): Promise<Package> {
  // Absent in pages that are not served by HTTPS; then two tabs may fetch the same bytes twice.
  if (!globalThis.navigator?.locks) return get();
  return new Promise((resolve, reject) => {
    let granted = false;
    const turn = navigator.locks.request(`insitu:${storeName}:${url}`, { signal }, async () => {
      granted = true;
      const found = await get();
      resolve(found);
      await found.stored;
    });
    // Chrome refuses all locks (SecurityError) where a page may store nothing: it runs from memory then, as without locks.
    turn.catch((error: unknown) => (granted || signal.aborted ? reject(error) : get().then(resolve, reject)));
  });
}
