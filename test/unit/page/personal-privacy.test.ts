// The user's consent to learning.
import { expect, test } from "vitest";
import { createPersonalPrivacy } from "../../../src/page/personal-privacy.js";
import type { StoreCall } from "../../../src/page/storage/model-store.js";

const call = (async () => []) as unknown as StoreCall;

test("consent that is denied throws consent_denied until it is granted", () => {
  const { personal, learning } = createPersonalPrivacy(call, "consent");
  learning.assertConsent();
  personal.setConsent("denied");
  expect(() => learning.assertConsent()).toThrow(expect.objectContaining({ code: "consent_denied" }));
  personal.setConsent("granted");
  learning.assertConsent();
});
