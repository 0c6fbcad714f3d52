// The reference profiles that the operator has registered: from files at the start, or uploaded beside the channel.
import { readFileSync } from "node:fs";
import { HttpError } from "../errors.js";
import type { Store } from "../store.js";
import { type ReferenceProfile, readProfile } from "./profile.js";

export class Profiles {
  readonly #store: Store;
  readonly #known = new Map<string, ReferenceProfile>();

  private constructor(store: Store) {
    this.#store = store;
  }

  /** `files` are paths of insitu.json; of a version they replace what was uploaded. Rejects when one cannot be used. */
  static async open(store: Store, files: readonly string[]): Promise<Profiles> {
    const profiles = new Profiles(store);
    const sql = "SELECT profile FROM reference_profiles ORDER BY time";
    const rows = await store.read((connection) => connection.runAndReadAll(sql));
    for (const { profile } of rows.getRowObjectsJS()) profiles.#keep(JSON.parse(String(profile)) as ReferenceProfile);
    for (const file of files) profiles.#keep(readFile(file));
    return profiles;
  }

  of(model: string, version: string): ReferenceProfile | undefined {
    return this.#known.get(keyOf(model, version));
  }

  /** `text` is the manifest of one of `name`'s versions. Rejects with `HttpError` 400. */
  async upload(text: string, name: string, at: number): Promise<ReferenceProfile> {
    const profile = readProfile(text);
    const { model, version } = profile;
    if (model !== name)
      throw new HttpError(400, `The manifest is of the model "${model}", and the address of "${name}".`);
    await this.#store.write(async (connection) => {
      const of = { model, version };
      await connection.run("DELETE FROM reference_profiles WHERE model = $model AND version = $version", of);
      await connection.run(
        "INSERT INTO reference_profiles VALUES ($model, $version, epoch_ms($at::BIGINT), $profile)",
        {
          ...of,
          at: BigInt(at),
          profile: JSON.stringify(profile),
        },
      );
    });
    this.#keep(profile);
    return profile;
  }

  #keep(profile: ReferenceProfile): void {
    this.#known.set(keyOf(profile.model, profile.version), profile);
  }
}

const keyOf = (model: string, version: string) => JSON.stringify([model, version]);

function readFile(path: string): ReferenceProfile {
  try {
    return readProfile(readFileSync(path, "utf8"));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Cannot use the reference ${path}: ${reason}`, { cause });
  }
}
