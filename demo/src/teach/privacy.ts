// The section "Your data": consent, export, import and deletion.
import type { Client, PersonalModel } from "insitu";
import { byId, make } from "../dom.js";
import { hideFailure, showFailure } from "../failures.js";
import { say } from "../status.js";
import { bytes } from "../words.js";
import { Refreshes } from "./refreshes.js";

export interface Privacy {
  show(): Promise<void>;
}

/** `onReplaced` is called after an import or a deletion. */
export function connectPrivacy(client: Client, model: () => PersonalModel, onReplaced: () => void): Privacy {
  const consent = byId("consent", HTMLInputElement);
  consent.addEventListener("change", () => {
    client.personal.setConsent(consent.checked ? "granted" : "denied");
    say(consent.checked ? "Learning is on." : "Learning is off. Existing classes still work.");
  });
  byId("export", HTMLButtonElement).addEventListener("click", () => void save(model()).catch(showFailure));
  connectImport(model, onReplaced);
  connectDelete(model, onReplaced);
  const refreshes = new Refreshes();
  return { show: () => showFacts(model(), refreshes.start()) };
}

async function save(model: PersonalModel): Promise<void> {
  const link = make("a");
  link.href = URL.createObjectURL(await model.export());
  link.download = "my-classes.insitu";
  link.click();
  // The browser needs the URL until the download has started.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  say("Exported. The file is not encrypted, so store it in a safe place.");
}

function connectImport(model: () => PersonalModel, onReplaced: () => void): void {
  const file = byId("import", HTMLInputElement);
  file.addEventListener("change", async () => {
    const [chosen] = file.files ?? [];
    file.value = "";
    if (!chosen) return;
    hideFailure();
    try {
      const { examples, versions, known } = await model().import(chosen);
      onReplaced();
      say(`Imported ${examples} pictures and ${versions} versions; ${known} already existed.`);
    } catch (error) {
      showFailure(error);
    }
  });
}

function connectDelete(model: () => PersonalModel, onReplaced: () => void): void {
  const dialog = byId("sure", HTMLDialogElement);
  byId("forget", HTMLButtonElement).addEventListener("click", () => dialog.showModal());
  dialog.addEventListener("close", async () => {
    if (dialog.returnValue !== "yes") return;
    try {
      await model().forget();
      onReplaced();
      say("Everything was deleted.");
    } catch (error) {
      showFailure(error);
    }
  });
}

async function showFacts(model: PersonalModel, mayShow: () => boolean): Promise<void> {
  const { examples, labels, bytes: size, unusable, storeError } = await model.state();
  if (!mayShow()) return;
  const classes = Object.keys(labels).length;
  const facts = [`${examples} pictures of ${classes} classes, ${bytes(size)}.`];
  if (unusable > 0) facts.push(`${unusable} belong to another version of the model and cannot be used.`);
  if (storeError) facts.push(`Nothing is stored after this visit: ${storeError.message}`);
  byId("facts", HTMLElement).textContent = facts.join(" ");
}
