// Encrypts and decrypts the examples and versions of one personal model.
import type { PersonalVersion } from "../../shared/types/personal.js";
import { bytesOf, decrypt, encrypt, floatsOf, type PlainContent } from "./aes-gcm.js";
import type { ExampleRow, VersionRow } from "./database.js";
import type { Head } from "./head.js";
import { withCurrentNames } from "./legacy-rows.js";
import type { StoredInput } from "./stored-input.js";

/** An example as a training reads it. */
export interface DecryptedExample extends Omit<ExampleRow, "cipherText" | "model" | "name"> {
  label: string;
  /** Of unit length. */
  vector: Float32Array;
  /** Bytes of the row's cipher text. */
  bytes: number;
}

export type NewExample = Pick<DecryptedExample, "id" | "label" | "addedAt" | "embedder" | "vector"> & {
  heldOut?: boolean;
  input?: PlainContent;
};

/** What is stored about a version; `usable` depends on the base model that is loaded. */
export type VersionFacts = Omit<PersonalVersion, "usable">;

export interface StoredVersion {
  facts: VersionFacts;
  embedder: string;
  head: Head;
  /** Bytes of the row's cipher text. */
  bytes: number;
}

export type NewVersion = Omit<StoredVersion, "facts" | "bytes"> & { facts: Omit<VersionFacts, "version"> };

/** An input that was kept with its example. */
export interface DecryptedInput {
  kept: StoredInput;
  parts: Uint8Array[];
}

/** Every cipher text is bound to its row: in another row it cannot be decrypted. */
export class RecordCipher {
  constructor(
    readonly model: string,
    readonly name: string,
  ) {}

  encryptExample(key: CryptoKey, example: Pick<NewExample, "id" | "label" | "vector" | "input">): Promise<ArrayBuffer> {
    const { id, label, vector, input } = example;
    return encrypt(key, this.#context("example", id), {
      facts: { label, ...(input && { kept: input.facts }) },
      parts: [bytesOf(vector), ...(input?.parts ?? [])],
    });
  }

  /** The same example with another embedding; undefined where the row cannot be decrypted. */
  async replaceEmbedding(key: CryptoKey, row: ExampleRow, vector: Float32Array): Promise<ArrayBuffer | undefined> {
    const content = await this.#decryptRow(key, row);
    if (!content) return undefined;
    const parts = [bytesOf(vector), ...content.parts.slice(1)];
    return encrypt(key, this.#context("example", row.id), { ...content, parts });
  }

  /** Undefined where the row was altered, or encrypted with another key. */
  async decryptExample(key: CryptoKey, row: ExampleRow): Promise<DecryptedExample | undefined> {
    const content = await this.#decryptRow(key, row);
    if (!content) return undefined;
    const { cipherText, model: _, name: __, ...facts } = row;
    const { label } = content.facts as { label: string };
    const vector = floatsOf(content.parts[0] as Uint8Array);
    return { ...facts, label, vector, bytes: cipherText.byteLength };
  }

  /** Undefined where nothing was kept, or the row cannot be decrypted. */
  async decryptInput(key: CryptoKey, row: ExampleRow): Promise<DecryptedInput | undefined> {
    const content = await this.#decryptRow(key, row);
    const { kept } = (content?.facts ?? {}) as { kept?: StoredInput };
    return kept && content ? { kept, parts: content.parts.slice(1) } : undefined;
  }

  encryptVersion(key: CryptoKey, version: number, { facts, head }: NewVersion): Promise<ArrayBuffer> {
    const { kind, labels, size } = head;
    const parts = [head.weights, head.bias, head.means, head.limits].map(bytesOf);
    return encrypt(key, this.#context("version", version), {
      facts: { ...facts, head: { kind, labels, size } },
      parts,
    });
  }

  /** Undefined where the row was altered, or encrypted with another key. */
  async decryptVersion(key: CryptoKey, row: VersionRow): Promise<StoredVersion | undefined> {
    const content = await decrypt(key, this.#context("version", row.version), row.cipherText);
    return content && versionOf(content, row);
  }

  #decryptRow(key: CryptoKey, { id, cipherText }: ExampleRow): Promise<PlainContent | undefined> {
    return decrypt(key, this.#context("example", id), cipherText);
  }

  #context(kind: "example" | "version", id: string | number): string {
    return JSON.stringify([kind, this.model, this.name, id]);
  }
}

type StoredFacts = Omit<VersionFacts, "version" | "head"> & { head: Pick<Head, "kind" | "labels" | "size"> };

function versionOf({ facts, parts }: PlainContent, { version, embedder, cipherText }: VersionRow): StoredVersion {
  const { head, ...rest } = withCurrentNames(facts as object, ["trainedAt", "durationMs"]) as unknown as StoredFacts;
  const arrays = parts.map(floatsOf) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const [weights, bias, means, limits] = arrays;
  return {
    facts: { ...rest, version, head: head.kind },
    embedder,
    head: { ...head, weights, bias, means, limits },
    bytes: cipherText.byteLength,
  };
}

/** A row as it was read from the database, whichever release wrote it. */
export const toExampleRow = (stored: ExampleRow): ExampleRow =>
  withCurrentNames(stored, ["addedAt", "order", "cipherText"]) as unknown as ExampleRow;

/** As {@link toExampleRow}. */
export const toVersionRow = (stored: VersionRow): VersionRow =>
  withCurrentNames(stored, ["cipherText"]) as unknown as VersionRow;
