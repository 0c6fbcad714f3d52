// Makes the reference profile of a package out of its training inputs, and writes it into the manifest.
import { join } from "node:path";
import { InsituError } from "../shared/errors.js";
import type { Manifest, ReferenceProfile, SignatureSpec } from "../shared/types/manifest.js";
import { digestOf } from "../worker/package/canonical-json.js";
import { parseManifest } from "../worker/package/manifest.js";
import { topClassOf } from "../worker/runtime/top-class.js";
import { readKey } from "./keys.js";
import { createProfile, type InputSource, type ReferenceInput, type ReferenceResult } from "./make-profile.js";
import { findInputs } from "./profile-inputs.js";
import { openOnCpu } from "./self-tests.js";
import { replaceFile, signedText } from "./sign.js";
import { type PackageOnDisk, verifyPackage } from "./verify.js";

export interface ProfileOptions {
  /** Names of the columns of a table, in the order of the model's input. @defaultValue all */
  columns?: string[];
  /** The most inputs that are read, evenly spaced. @defaultValue 1000 */
  limit?: number;
  /** Path of a key file made by `insitu keygen`. @defaultValue not signed */
  sign?: string;
  /** Changes the manifest's `release`: pages take a package with the same one for the same. */
  release?: number;
  /** Receives a line of text now and then. */
  onProgress?: (line: string) => void;
}

export interface ProfileResult {
  manifest: Manifest;
  digest: string;
  profile: ReferenceProfile;
  /** What could not be used, with the reason. */
  skipped: string[];
  /** Ids of the keys whose signatures were removed, since the manifest changed. */
  dropped: string[];
}

const LIMIT = 1_000;
// Fewer have no 5 % quantile.
const MIN_SAMPLES = 20;
const PROGRESS_MS = 5_000;

/** Throws `input_invalid` for fewer than 20 inputs that can be used, and for a package or source that cannot. */
export async function addProfile(folder: string, source: string, options: ProfileOptions = {}): Promise<ProfileResult> {
  const key = options.sign === undefined ? undefined : await readKey(options.sign);
  const found = await verifyPackage(folder);
  const inputs = await findInputs(source, found.manifest.inputs, options.columns);
  const { profile, skipped } = await makeProfile(folder, found, inputs, options);
  const json = JSON.parse(found.text) as Record<string, unknown>;
  json.reference = profile;
  if (options.release !== undefined) json.release = options.release;
  const dropped = ((json.signatures ?? []) as SignatureSpec[]).map(({ keyId }) => keyId);
  delete json.signatures;
  const path = join(folder, "insitu.json");
  const text = key ? await signedText(json, key, path) : `${JSON.stringify(json, null, 2)}\n`;
  // As a page reads it, so that nothing is written that a page would refuse.
  const manifest = parseManifest(text, path);
  await replaceFile(path, text);
  return {
    manifest,
    digest: await digestOf(text),
    profile,
    skipped,
    dropped: dropped.filter((id) => id !== key?.id),
  };
}

async function makeProfile(
  folder: string,
  { manifest, model }: PackageOnDisk,
  { inputs, columns, skipped }: InputSource,
  { limit = LIMIT, onProgress = () => undefined }: ProfileOptions,
): Promise<{ profile: ReferenceProfile; skipped: string[] }> {
  const { task } = manifest;
  const isClassifier = task.kind === "classification";
  const profile = createProfile(manifest.inputs, "labels" in task ? task.labels.length : 0, columns);
  const chosen = evenly(inputs, limit);
  if (chosen.length < inputs.length) onProgress(`reading ${chosen.length} of ${inputs.length} inputs (--limit)`);
  const session = isClassifier && chosen.length > 0 ? await openOnCpu(manifest, model, folder) : undefined;
  const run = async ({ feeds }: ReferenceInput): Promise<ReferenceResult | undefined> => {
    const top = session && topClassOf(manifest, (await session.run(feeds)).outputs);
    if (top && !Number.isFinite(top.confidence)) throw new Error("the model gives no finite number for it");
    return top;
  };
  let told = performance.now();
  try {
    for (const [index, { path, read }] of chosen.entries()) {
      try {
        const input = await read();
        profile.add(input, await run(input));
      } catch (error) {
        skipped.push(reasonOf(path, error));
      }
      if (performance.now() - told < PROGRESS_MS) continue;
      told = performance.now();
      onProgress(`${index + 1} of ${chosen.length} inputs`);
    }
  } finally {
    session?.dispose();
  }
  if (profile.count() >= MIN_SAMPLES) return { profile: profile.build(), skipped };
  const reasons = skipped.length > 0 ? ` Skipped: ${skipped.slice(0, 3).join("; ")}` : "";
  const message = `A profile needs at least ${MIN_SAMPLES} inputs, ${profile.count()} could be used.${reasons}`;
  throw new InsituError("input_invalid", message, { count: profile.count(), skipped: skipped.length });
}

function reasonOf(path: string, error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error);
  return reason.includes(path) ? reason : `${path}: ${reason}`;
}

/** At most `limit` of them, from the first to the last: a folder is often ordered by class. */
function evenly<T>(items: readonly T[], limit: number): T[] {
  if (items.length <= limit) return [...items];
  return Array.from({ length: limit }, (_, i) => items[Math.floor((i * items.length) / limit)] as T);
}
