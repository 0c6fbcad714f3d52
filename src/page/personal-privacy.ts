// `client.personal`: what was learned from this user on this site, their consent to it, and the way to forget all of it.
import { InsituError } from "../shared/errors.js";
import type { StoredPersonalModel } from "../shared/protocol.js";
import type { PersonalConsent } from "./api-types.js";
import type { StoreCall } from "./storage/model-store.js";

export interface PersonalPrivacy {
  /** `denied`: nothing new is learned, and calls that would reject with `consent_denied`; what was learned stays until it is forgotten, and still answers. */
  readonly consent: PersonalConsent;
  setConsent(consent: PersonalConsent): void;
  /** The personal models with classes that are kept here; rankers are not listed. */
  list(): Promise<StoredPersonalModel[]>;
  /** Removes all of them and all rankers, also those that no page has open, and destroys the keys that their remains on the disk are encrypted with. */
  forget(): Promise<void>;
}

/** What personal models share with their client. */
export interface LearningConsent {
  /** Throws `aborted` where consent was denied. */
  assertConsent(): void;
  /** One that must forget too when all do. */
  opened(model: { forget(): Promise<void> }): void;
}

export function createPersonalPrivacy(call: StoreCall, storeName: string, initial: PersonalConsent = "granted") {
  let consent = initial;
  const all = new Set<{ forget(): Promise<void> }>();
  const personal: PersonalPrivacy = {
    get consent() {
      return consent;
    },
    setConsent(next) {
      consent = next;
    },
    list: () => call("listPersonal", [], "Listing personal models"),
    async forget() {
      await Promise.allSettled([...all].map((model) => model.forget()));
      await call("forgetPersonal", [], "Forgetting personal models");
      // Also of rankers that no page has open.
      await (await import("./lazy/ranking/ranker.js")).forgetRankers(storeName);
    },
  };
  const learning: LearningConsent = {
    assertConsent() {
      if (consent === "granted") return;
      const message = "Nothing is learned without consent: see client.personal.setConsent.";
      throw new InsituError("consent_denied", message);
    },
    opened: (model) => void all.add(model),
  };
  return { personal, learning };
}
