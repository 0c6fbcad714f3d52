// The record of each version of a registry: its bytes, who added it, and, once it is removed, who removed it.
import { createHash } from "node:crypto";
import { isObject } from "../../shared/json-fields.js";
import type { ObjectStore } from "../store/object-store.js";
import { additionKey, removalKey } from "./layout.js";

/** What happened to a version. */
export interface Addition {
  version: string;
  /** SHA-256 of the manifest's text, which names all other bytes. */
  manifest: string;
  at: string;
  by: string;
  why: string;
}

export interface Removal {
  at: string;
  by: string;
  why: string;
}

const MAX_BYTES = 16 * 1024;

export const manifestHash = (text: string): string => createHash("sha256").update(text).digest("hex");

export const recordBytes = (record: object): Buffer => Buffer.from(`${JSON.stringify(record, null, 2)}\n`);

/** Undefined when there is none, or a damaged one. */
export async function readAddition(store: ObjectStore, model: string, version: string): Promise<Addition | undefined> {
  const value = await readRecord(store, additionKey(model, version));
  return value && value.version === version && typeof value.manifest === "string"
    ? (value as unknown as Addition)
    : undefined;
}

export async function readRemoval(store: ObjectStore, model: string, version: string): Promise<Removal | undefined> {
  return (await readRecord(store, removalKey(model, version))) as Removal | undefined;
}

export async function writeRemoval(store: ObjectStore, model: string, version: string, record: Removal): Promise<void> {
  const key = removalKey(model, version);
  const before = await store.read(key, MAX_BYTES);
  await store.replace(key, recordBytes(record), before?.etag);
}

async function readRecord(store: ObjectStore, key: string): Promise<Record<string, unknown> | undefined> {
  const found = await store.read(key, MAX_BYTES).catch(() => undefined);
  try {
    const value: unknown = found && JSON.parse(found.bytes.toString("utf8"));
    const isRecord = isObject(value) && ["at", "by", "why"].every((name) => typeof value[name] === "string");
    return isRecord && !Number.isNaN(Date.parse(value.at as string)) ? value : undefined;
  } catch {
    return undefined;
  }
}
