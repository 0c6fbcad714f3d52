// The rows of a personal model and what they hold: examples and versions, sealed with its key.
import type { PersonalVersion } from "../../shared/types/personal.js";
import { bytesOf, decrypt, encrypt, floatsOf, type PlainContent } from "./aes-gcm.js";
import type { ExampleRow, VersionRow } from "./database.js";
import type { Head } from "./head.js";
import type { StoredInput } from "./stored-input.js";

/** An example as a training reads it. */
export interface DecryptedModel extends Omit<ExampleRow, "box" | "model" | "name"> {
  label: string;
  /** Of unit length. */
  vector: Float32Array;
  /** Bytes of its row. */
  bytes: number;
}

export type NewExample = Pick<DecryptedModel, "id" | "label" | "time" | "embedder" | "vector"> & {
  heldOut?: boolean;
  input?: PlainContent;
};

/** What a version says of itself, but for what depends on the model that runs. */
export type VersionFacts = Omit<PersonalVersion, "usable">;

export interface StoredVersion {
  facts: VersionFacts;
  embedder: string;
  head: Head;
  /** Bytes of its row. */
  bytes: number;
}

export type NewVersion = Omit<StoredVersion, "facts" | "bytes"> & { facts: Omit<VersionFacts, "version"> };

/** An input that was kept, as its box holds it. */
export interface OpenedInput {
  kept: StoredInput;
  parts: Uint8Array[];
}

/** Each box is bound to its row: in another one it is refused. */
export interface RecordCipher {
  example(key: CryptoKey, example: Pick<NewExample, "id" | "label" | "vector" | "input">): Promise<ArrayBuffer>;
  version(key: CryptoKey, number: number, made: NewVersion): Promise<ArrayBuffer>;
  /** The same example with another embedding; undefined where the row cannot be read. */
  embedded(key: CryptoKey, row: ExampleRow, vector: Float32Array): Promise<ArrayBuffer | undefined>;
  /** Undefined where the row was altered, or sealed with another key; so the next two. */
  openExample(key: CryptoKey, row: ExampleRow): Promise<DecryptedModel | undefined>;
  openInput(key: CryptoKey, row: ExampleRow): Promise<OpenedInput | undefined>;
  openVersion(key: CryptoKey, row: VersionRow): Promise<StoredVersion | undefined>;
}

export function createRecordCipher(model: string, name: string): RecordCipher {
  const context = (kind: "example" | "version", id: string | number) => JSON.stringify([kind, model, name, id]);
  const openBox = (key: CryptoKey, { id, box }: ExampleRow) => decrypt(key, context("example", id), box);
  return {
    example: (key, { id, label, vector, input }) =>
      encrypt(key, context("example", id), {
        facts: { label, ...(input && { kept: input.facts }) },
        parts: [bytesOf(vector), ...(input?.parts ?? [])],
      }),
    version: (key, number, made) => encrypt(key, context("version", number), contentOf(made)),
    async embedded(key, row, vector) {
      const content = await openBox(key, row);
      if (!content) return undefined;
      const parts = [bytesOf(vector), ...content.parts.slice(1)];
      return encrypt(key, context("example", row.id), { ...content, parts });
    },
    async openExample(key, row) {
      const found = await openBox(key, row);
      if (!found) return undefined;
      const { box, model: _, name: __, ...rest } = row;
      const { label } = found.facts as { label: string };
      return { ...rest, label, vector: floatsOf(found.parts[0] as Uint8Array), bytes: box.byteLength };
    },
    async openInput(key, row) {
      const content = await openBox(key, row);
      const { kept } = (content?.facts ?? {}) as { kept?: StoredInput };
      return kept && content ? { kept, parts: content.parts.slice(1) } : undefined;
    },
    async openVersion(key, row) {
      const found = await decrypt(key, context("version", row.version), row.box);
      return found && versionOf(found, row);
    },
  };
}

function contentOf({ facts, head }: NewVersion): PlainContent {
  const { kind, labels, size } = head;
  const parts = [head.weights, head.bias, head.means, head.limits].map(bytesOf);
  return { facts: { ...facts, head: { kind, labels, size } }, parts };
}

function versionOf({ facts, parts }: PlainContent, { version, embedder, box }: VersionRow): StoredVersion {
  const { head: shape, ...rest } = facts as Omit<VersionFacts, "version" | "head"> & {
    head: Pick<Head, "kind" | "labels" | "size">;
  };
  const [weights, bias, means, limits] = parts.map(floatsOf) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  return {
    facts: { ...rest, version, head: shape.kind },
    embedder,
    head: { ...shape, weights, bias, means, limits },
    bytes: box.byteLength,
  };
}
