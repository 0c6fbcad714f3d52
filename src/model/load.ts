// Gets a package's bytes: from the store when they are there and right, else from its host, then into the store.
import { asInsituError, InsituError, isInsituError } from "../errors.js";
import type { Manifest, Progress } from "../types.js";
import { chunksOf } from "./chunks.js";
import { downloadChunks, downloadText } from "./download.js";
import { digestOf, MAX_MANIFEST_BYTES, parseManifest, resolveFile } from "./manifest.js";
import type { PackageRow, Store } from "./store.js";
import { type ModelJson, parseModelJson } from "./topology.js";

export interface Package {
  manifest: Manifest;
  digest: string;
  /** The graph or layers, parsed and checked against the manifest. */
  model: ModelJson;
  /** Verified bytes of the weight files in the order of the model's weights, cut anywhere. */
  weights: ArrayBuffer[];
  source: "network" | "cache";
  /** Why the package could not be kept; it runs from memory then. */
  storeError?: InsituError;
}

export interface LoadContext {
  store: Store;
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
}

/** `url` is absolute and ends with a slash. One load of a package at a time, over all tabs: the next one finds it stored. */
export async function loadPackage(url: string, context: LoadContext): Promise<Package> {
  try {
    // Absent in pages that are not served by HTTPS; then two tabs may fetch the same bytes twice.
    if (!navigator.locks) return await stored(url, context);
    return await navigator.locks.request(`insitu:load:${url}`, { signal: context.signal }, () => stored(url, context));
  } catch (error) {
    throw asInsituError(error, context.signal.aborted ? "aborted" : "_OTHER", `Loading ${url} stopped`, { url });
  }
}

async function stored(url: string, context: LoadContext): Promise<Package> {
  let storeError: InsituError | undefined;
  const row = await context.store.find(url).catch((error: InsituError) => {
    storeError = error;
    return undefined;
  });
  const cached = row && (await fromStore(row, context));
  if (cached) return cached;
  return { ...(await fromNetwork(url, context, storeError === undefined)), ...(storeError && { storeError }) };
}

/** Undefined when a chunk is missing or altered: the package is fetched again then. */
async function fromStore(row: PackageRow, { store, signal, onProgress }: LoadContext): Promise<Package | undefined> {
  const files = new Map<string, ArrayBuffer[]>();
  let loaded = 0;
  for (const file of row.manifest.files) {
    const chunks: ArrayBuffer[] = [];
    for (const spec of chunksOf(file)) {
      signal.throwIfAborted();
      const bytes = await store.read(spec).catch(() => undefined);
      if (!bytes) return undefined;
      chunks.push(bytes);
      loaded += bytes.byteLength;
      onProgress({ phase: "verify", loaded, total: row.bytes });
    }
    files.set(file.path, chunks);
  }
  void store.touch(row.url).catch(() => undefined);
  return {
    manifest: row.manifest,
    digest: row.digest,
    ...(await assemble(row.url, row.manifest, files)),
    source: "cache",
  };
}

async function fromNetwork(url: string, { store, signal, onProgress }: LoadContext, keep: boolean): Promise<Package> {
  const where = new URL("insitu.json", url).href;
  const manifest = parseManifest(await downloadText(where, MAX_MANIFEST_BYTES, signal), where);
  const digest = await digestOf(manifest);
  const total = manifest.files.reduce((sum, file) => sum + file.size, 0);
  const files = new Map<string, ArrayBuffer[]>();
  const byHash = new Map<string, ArrayBuffer>();
  let loaded = 0;
  onProgress({ phase: "download", loaded, total });
  for (const file of manifest.files) {
    const specs = chunksOf(file);
    const chunks = await downloadChunks(resolveFile(url, file.path), specs, {
      signal,
      onBytes(bytes) {
        loaded += bytes;
        onProgress({ phase: "download", loaded, total });
      },
    });
    files.set(file.path, chunks);
    for (const [index, spec] of specs.entries()) byHash.set(spec.sha256, chunks[index] as ArrayBuffer);
  }
  // Each chunk was hashed as it arrived; the phase is told so that a page can show it.
  onProgress({ phase: "verify", loaded: total, total });
  // Before it is kept: a package that cannot be read is never stored.
  const result: Package = { manifest, digest, ...(await assemble(url, manifest, files)), source: "network" };
  if (!keep) return result;
  onProgress({ phase: "store", loaded: 0, total });
  try {
    await store.commit({ url, digest, manifest, chunks: [...byHash.keys()], bytes: total, usedAt: Date.now() }, byHash);
    onProgress({ phase: "store", loaded: total, total });
    return result;
  } catch (error) {
    return {
      ...result,
      storeError: isInsituError(error) ? error : asInsituError(error, "storage_unavailable", "Storing failed"),
    };
  }
}

async function assemble(
  url: string,
  manifest: Manifest,
  files: Map<string, ArrayBuffer[]>,
): Promise<Pick<Package, "model" | "weights">> {
  const file = manifest.files.find(({ path }) => path.endsWith(".json"));
  if (!file)
    throw new InsituError("model_format", `The package ${url} lists no .json file that could be the model.`, { url });
  const text = await new Blob(files.get(file.path)).text();
  const model = parseModelJson(text, manifest, resolveFile(url, file.path));
  return { model, weights: model.weightFiles.flatMap((path) => files.get(path) ?? []) };
}
