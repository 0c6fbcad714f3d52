// `client.personal`: what was learned from this user on this site, their consent to it, and the way to forget all of it.
import { InsituError } from "./errors.js";
import type { KeptPersonal } from "./protocol.js";
import type { AskHost } from "./store-handle.js";
import type { PersonalConsent } from "./types.js";

export interface PersonalPrivacy {
  /** `denied`: nothing new is learned, and calls that would reject with `aborted`; what was learned stays until it is forgotten, and still answers. */
  readonly consent: PersonalConsent;
  setConsent(consent: PersonalConsent): void;
  /** All personal models that are kept here. */
  list(): Promise<KeptPersonal[]>;
  /** Removes all of them, also those that no page has open, and destroys the keys that their remains on the disk are encrypted with. */
  forget(): Promise<void>;
}

export function createPersonalPrivacy(ask: AskHost, initial: PersonalConsent = "granted") {
  let consent = initial;
  const personal: PersonalPrivacy = {
    get consent() {
      return consent;
    },
    setConsent(next) {
      consent = next;
    },
    list: () => ask("Listing what was learned", (host) => host.listPersonal()),
    forget: () => ask("Forgetting what was learned", (host) => host.forgetPersonal()),
  };
  const assert = () => {
    if (consent === "granted") return;
    const message = "Nothing is learned: the user did not agree. Call client.personal.setConsent once they do.";
    throw new InsituError("aborted", message, { reason: "consent" });
  };
  return { personal, consent: { assert } };
}
