// `client.personal`: the user's consent to learning, the list of what is stored, and removing all of it.
import { InsituError } from "../shared/errors.js";
import type { StoredPersonalModel } from "../shared/types/personal.js";
import type { PersonalConsent } from "./api-types.js";
import { checkOneOf } from "./lib/check-option.js";
import { loadChunk } from "./lib/load-chunk.js";
import type { StoreCall } from "./storage/model-store.js";

/** Personal models and rankers of this site in this browser. */
export interface PersonalPrivacy {
  /**
   * `denied`: nothing new is learned, and calls that would do so reject with `consent_denied`. What was learned before is still used, until it
   * is removed by `forget`.
   * @defaultValue `"granted"`, or the client's `personalization.consent`
   */
  readonly consent: PersonalConsent;
  /**
   * Takes effect at once, for all personal models and rankers of this client.
   * @throws `input_invalid` for another value.
   *
   * @example
   * ```ts
   * client.personal.setConsent("denied");
   * ```
   */
  setConsent(consent: PersonalConsent): void;
  /**
   * The personal models and rankers that are stored in this browser; `kind` says which an entry is.
   *
   * @throws `timeout`, `network` when a part of the library cannot be fetched, or the code of a storage failure.
   * @example
   * ```ts
   * for (const { kind, model, name, bytes } of await client.personal.list()) console.log(kind, model, name, bytes);
   * ```
   */
  list(): Promise<StoredPersonalModel[]>;
  /**
   * Removes all personal models and rankers with their feedback, also those that are not open, and destroys the keys that models are encrypted with.
   *
   * @throws As `list`.
   * @example
   * ```ts
   * await client.personal.forget();
   * ```
   */
  forget(): Promise<void>;
}

/** What personal models share with their client. */
export interface LearningConsent {
  /** Throws `consent_denied` where consent was denied. */
  assertConsent(): void;
  /** Registers a model that must forget too when all do. */
  opened(model: { forget(): Promise<void> }): void;
}

export function createPersonalPrivacy(call: StoreCall, storeName: string, initial: PersonalConsent = "granted") {
  const check = (value: unknown) => checkOneOf("consent", value, ["granted", "denied"]);
  check(initial);
  let consent = initial;
  const opened = new Set<{ forget(): Promise<void> }>();
  const loadRanking = () => loadChunk(import("./lazy/ranking/ranker.js"));
  const listModels = () => call("listPersonal", [], "Listing personal models");
  const personal: PersonalPrivacy = {
    get consent() {
      return consent;
    },
    setConsent(next) {
      check(next);
      consent = next;
    },
    list: async () => [...(await listModels()), ...(await (await loadRanking()).listRankers(storeName))],
    async forget() {
      await Promise.allSettled([...opened].map((model) => model.forget()));
      // What cannot be listed is removed all the same.
      const models = await listModels().catch(() => []);
      await call("forgetPersonal", [], "Forgetting personal models");
      // Also rankers and feedback of models that no page has open.
      await (await loadRanking()).forgetRankers(storeName);
      const { clearMonitors } = await loadChunk(import("./lazy/monitor/monitor.js"));
      await clearMonitors(
        models.map(({ model, name }) => `${model}/${name}`),
        storeName,
      );
    },
  };
  const learning: LearningConsent = {
    assertConsent() {
      if (consent === "granted") return;
      const message = "Nothing was learned without consent: call client.personal.setConsent once the user has agreed.";
      throw new InsituError("consent_denied", message);
    },
    opened: (model) => void opened.add(model),
  };
  return { personal, learning };
}
