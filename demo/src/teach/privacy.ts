// What of it may be kept: consent, the file, and forgetting, in one place.
import type { Client, PersonalModel } from "insitu";
import { byId, make } from "../dom.js";
import { hideFailure, showFailure } from "../failures.js";
import { say } from "../status.js";
import { bytes } from "../words.js";

export interface Privacy {
  show(): Promise<void>;
}

export function connectPrivacy(client: Client, model: () => PersonalModel, onForgotten: () => void): Privacy {
  const consent = byId("consent", HTMLInputElement);
  const file = byId("import", HTMLInputElement);
  const sure = byId("sure", HTMLDialogElement);

  consent.addEventListener("change", () => {
    client.personal.setConsent(consent.checked ? "granted" : "denied");
    say(consent.checked ? "This page may learn from you." : "Nothing new is learned; what was learned still answers.");
  });

  byId("export", HTMLButtonElement).addEventListener("click", async () => {
    try {
      const link = make("a");
      link.href = URL.createObjectURL(await model().export());
      link.download = "my-classes.insitu";
      link.click();
      // The download has begun by then.
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
      say("Saved; the file is not encrypted, so keep it where only you can read it.");
    } catch (error) {
      showFailure(error);
    }
  });

  file.addEventListener("change", async () => {
    const [chosen] = file.files ?? [];
    file.value = "";
    if (!chosen) return;
    hideFailure();
    try {
      const { examples, versions, known } = await model().import(chosen);
      onForgotten();
      say(`Loaded ${examples} pictures and ${versions} versions; ${known} were here already.`);
    } catch (error) {
      showFailure(error);
    }
  });

  byId("forget", HTMLButtonElement).addEventListener("click", () => sure.showModal());
  sure.addEventListener("close", async () => {
    if (sure.returnValue !== "yes") return;
    try {
      await model().forget();
      onForgotten();
      say("Everything is forgotten.");
    } catch (error) {
      showFailure(error);
    }
  });

  return {
    async show() {
      const { examples, labels, bytes: size, unusable, storeError } = await model().state();
      const classes = Object.keys(labels).length;
      const facts = [`${examples} pictures of ${classes} classes, ${bytes(size)}.`];
      if (unusable > 0) facts.push(`${unusable} were taught to another version of the model and cannot be used.`);
      if (storeError) facts.push(`Nothing is kept after this visit: ${storeError.message}`);
      byId("facts", HTMLElement).textContent = facts.join(" ");
    },
  };
}
