// One version of a package, as an engine opens it: its description checked first, its weights as they arrive, stored meanwhile.
import { onAbort } from "../../shared/abort.js";
import { asInsituError, InsituError } from "../../shared/errors.js";
import type { FileSpec, Manifest } from "../../shared/types/manifest.js";
import type { LoadPhase, LoadProgress } from "../../shared/types/model.js";
import { type Content, type ContentContext, createContent, type OnBytes } from "./content.js";
import { resolveFile } from "./manifest.js";
import type { SelfTest } from "./self-test-files.js";
import { selfTestReader } from "./self-test-reader.js";
import type { FallbackStore } from "./store/fallback-store.js";
import type { NewRow } from "./store/store.js";
import { type ModelJson, parseModelJson } from "./topology.js";

export interface Package {
  manifest: Manifest;
  digest: string;
  /** The graph or layers, parsed and checked against the manifest. */
  model: ModelJson;
  /** Verified bytes of the weight files in the order of the model's weights, cut anywhere; each is good until the next is asked for. */
  weights: () => AsyncIterable<ArrayBuffer>;
  /** The package's self-tests, read and parsed at each call; rejects with `model_format` when one cannot be used. */
  selfTests(): Promise<SelfTest[]>;
  /** The texts of the package's plans for the binary of this SHA-256, unchecked; rejects when one cannot be had. */
  plans(binary: string): Promise<{ text: string; where: string }[]>;
  source: "network" | "cache";
  /** Settles once all of it is kept: with nothing, or with why it could not be. Never rejects. */
  stored: Promise<InsituError | undefined>;
  /** Says that the model runs, or will not: until then storing waits a moment, so that it does not slow the load. */
  settled(): void;
  /** Gives up what is still on its way. */
  discard(): void;
}

/** A manifest that may be used, and the text it was read from. */
export interface Accepted {
  manifest: Manifest;
  text: string;
  digest: string;
}

export interface PackageContext extends ContentContext {
  store: FallbackStore;
  onProgress: (progress: LoadProgress) => void;
}

// The largest public graphs have 10 MB; it is parsed as one text.
const MAX_DESCRIPTION_BYTES = 64 * 1024 * 1024;

/** Rejects when the description cannot be had or is not what the manifest says. */
export async function storedPackage(url: string, accepted: Accepted, context: PackageContext): Promise<Package> {
  const { manifest, digest } = accepted;
  const content = createContent(url, manifest, context);
  const total = sizeOf(manifest);
  const described = descriptionOf(manifest, url).size;
  const model = await describe(url, manifest, content, counter("verify", total, context));
  const onBytes = () => counter("verify", total, context, described);
  // Files that the model does not name are not read.
  const onEnd = () => context.onProgress({ phase: "verify", loaded: total, total });
  const { weights, drop } = readAhead(() => content.read(weightFiles(model, manifest), onBytes(), onEnd));
  return {
    manifest,
    digest,
    model,
    weights,
    selfTests: () => readSelfTests(url, manifest, content),
    plans: (binary) => readPlans(url, manifest, content, binary),
    source: "cache",
    stored: Promise.resolve(undefined),
    settled: drop,
    discard: drop,
  };
}

/** Begins the download, and resolves as soon as the description is here; rejects as `storedPackage` does. */
export async function downloadedPackage(url: string, accepted: Accepted, context: PackageContext): Promise<Package> {
  const { store, onProgress } = context;
  const { manifest, digest, text } = accepted;
  const stop = new AbortController();
  const discard = () => stop.abort();
  const unlink = onAbort(context.signal, discard);
  const content = createContent(url, manifest, { ...context, signal: stop.signal });
  const total = sizeOf(manifest);
  const { name, version, release } = manifest;
  const row: NewRow = { url, digest, text, name, version, release, chunks: content.chunks, bytes: total };
  // Not awaited: transactions of one connection run in the order in which they were created.
  const begun = store.begin(row).catch((error: unknown) => content.giveUp(error));
  const described = descriptionOf(manifest, url);
  const files = inOrder(manifest, described);
  let kept = 0;
  const onStored = (bytes: number) => {
    kept += bytes;
  };
  await content.download(files, counter("download", total, context), onStored);
  const stored = begun.then(() => keep(row, content, context)).finally(unlink);
  try {
    const model = await describe(url, manifest, content);
    const onEnd = () => {
      onProgress({ phase: "verify", loaded: total, total });
      onProgress({ phase: "store", loaded: kept, total });
    };
    return {
      manifest,
      digest,
      model,
      weights: () => content.read(weightFiles(model, manifest), undefined, onEnd),
      selfTests: () => readSelfTests(url, manifest, content),
      plans: (binary) => readPlans(url, manifest, content, binary),
      source: "network",
      stored,
      settled: () => content.flush(),
      discard,
    };
  } catch (error) {
    discard();
    content.flush();
    await stored;
    throw error;
  }
}

/** Begins to read at once, while the engine gets ready; `drop` ends that where nobody took it. */
function readAhead(read: () => AsyncGenerator<ArrayBuffer, void>) {
  let ahead: AsyncGenerator<ArrayBuffer, void> | undefined = read();
  const first = ahead.next();
  // Awaited when it is wanted, if it is.
  first.catch(() => undefined);
  async function* taken(begun: AsyncGenerator<ArrayBuffer, void>) {
    const { value, done } = await first;
    if (done) return;
    try {
      yield value;
      yield* begun;
    } finally {
      await begun.return();
    }
  }
  return {
    weights(): AsyncIterable<ArrayBuffer> {
      const begun = ahead;
      ahead = undefined;
      return begun ? taken(begun) : read();
    },
    drop() {
      void ahead?.return().catch(() => undefined);
      ahead = undefined;
    },
  };
}

/** Waits for the last chunk, then makes the version the newest of its address. */
async function keep(row: NewRow, content: Content, { store, emit }: PackageContext): Promise<InsituError | undefined> {
  try {
    await content.stored();
    await store.commit(row);
    return store.problem();
  } catch (error) {
    const problem = asInsituError(error, "storage_unavailable", "Storing the package failed");
    // What came before the connection broke is what the next load continues from.
    if (!problem.code.startsWith("storage")) return problem;
    await content.giveUp(problem);
    const known = store.problem();
    if (!known) emit({ type: "unavailable", code: problem.code, reason: problem.message });
    return known ?? problem;
  }
}

function descriptionOf(manifest: Manifest, url: string): FileSpec {
  const found = manifest.files.find(({ path }) => path.endsWith(".json"));
  if (!found) throw new InsituError("model_format", `${url} lists no .json file that could be the model.`, { url });
  if (found.size <= MAX_DESCRIPTION_BYTES) return found;
  const message = `${url} has a ${found.path} of ${found.size} bytes; ${MAX_DESCRIPTION_BYTES} is the maximum. Put weights into files of their own.`;
  throw new InsituError("model_too_large", message, { url, size: found.size, max: MAX_DESCRIPTION_BYTES });
}

/** Before any byte of weights is decoded. */
async function describe(url: string, manifest: Manifest, content: Content, onBytes?: OnBytes): Promise<ModelJson> {
  const file = descriptionOf(manifest, url);
  return parseModelJson(await textOf(file, content, onBytes), manifest, resolveFile(url, file.path));
}

async function textOf(file: FileSpec, content: Content, onBytes?: OnBytes): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of content.read([file], onBytes)) text += decoder.decode(bytes, { stream: true });
  return text + decoder.decode();
}

async function readSelfTests(url: string, manifest: Manifest, content: Content): Promise<SelfTest[]> {
  const read = (path: string) => textOf(fileOf(path, manifest), content);
  const tests: SelfTest[] = [];
  if (!manifest.selfTest?.length) return tests;
  const { parseSelfTestInput, parseSelfTestOutputs } = await selfTestReader();
  for (const { input, outputs, tolerance } of manifest.selfTest) {
    tests.push({
      inputs: parseSelfTestInput(await read(input), manifest.inputs, resolveFile(url, input)),
      outputs: parseSelfTestOutputs(await read(outputs), manifest.outputs, resolveFile(url, outputs)),
      tolerance,
    });
  }
  return tests;
}

async function readPlans(url: string, manifest: Manifest, content: Content, binary: string) {
  const wanted = (manifest.plans ?? []).filter((plan) => plan.binary === binary);
  return Promise.all(
    wanted.map(async ({ path }) => ({
      text: await textOf(fileOf(path, manifest), content),
      where: resolveFile(url, path),
    })),
  );
}

/** What the engine opens the model on comes before the weights. */
function inOrder({ files, plans = [] }: Manifest, described: FileSpec): FileSpec[] {
  const paths = new Set(plans.map(({ path }) => path));
  const rest = files.filter((file) => file !== described);
  return [described, ...rest.filter(({ path }) => paths.has(path)), ...rest.filter(({ path }) => !paths.has(path))];
}

/** Both the manifest and the description were checked to name listed files only. */
const fileOf = (path: string, { files }: Manifest): FileSpec => files.find((file) => file.path === path) as FileSpec;

const weightFiles = (model: ModelJson, manifest: Manifest): FileSpec[] =>
  model.weightFiles.map((path) => fileOf(path, manifest));

function sizeOf(manifest: Manifest): number {
  return manifest.files.reduce((sum, file) => sum + file.size, 0);
}

/** Sums bytes up to the progress of a phase. */
function counter(phase: LoadPhase, total: number, { onProgress }: PackageContext, before = 0): OnBytes {
  let loaded = before;
  return (bytes) => {
    loaded += bytes;
    onProgress({ phase, loaded, total });
  };
}
