// Where pictures come from: the samples, a picked file, a drop, a paste.
import { byId, make } from "./dom.js";
import { showFailure } from "./failures.js";
import type { Picture } from "./recogniser.js";

const SAMPLES = [
  { file: "chelsea", name: "Cat", title: "A cat" },
  { file: "coffee", name: "Coffee", title: "A cup of coffee" },
  { file: "astronaut", name: "Astronaut", title: "An astronaut" },
  { file: "rocket", name: "Rocket", title: "A rocket on its pad" },
] as const;

export interface Pictures {
  /** Chooses the first sample, so that the page opens with something to see. */
  first(): void;
  /** No sample is chosen any more. */
  none(): void;
}

export function connectPictures(onPicture: (picture: Picture) => void): Pictures {
  const list = byId("samples", HTMLElement);
  const press = (pressed?: HTMLButtonElement) => {
    for (const button of list.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button === pressed));
    }
  };
  const take = (content: File | Blob, name: string) => {
    press();
    onPicture({ name, content });
  };

  const choose = async (button: HTMLButtonElement, { file, title }: (typeof SAMPLES)[number]) => {
    press(button);
    try {
      const response = await fetch(`/photos/${file}.jpg`);
      if (!response.ok) throw new Error(`The sample photo ${file}.jpg answered ${response.status}.`);
      onPicture({ name: title, content: await response.blob() });
    } catch (error) {
      showFailure(error);
    }
  };

  const buttons = SAMPLES.map((sample) => {
    const image = make("img");
    image.src = `/photos/${sample.file}.jpg`;
    image.alt = "";
    const button = make("button", "", image, sample.name);
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => void choose(button, sample));
    return button;
  });
  list.replaceChildren(...buttons.map((button) => make("li", "", button)));

  connectFile(take);
  connectDrop(take);
  document.addEventListener("paste", (event) => {
    const file = event.clipboardData?.files[0];
    if (file) take(file, "Pasted picture");
  });
  return { first: () => buttons[0]?.click(), none: () => press() };
}

function connectFile(take: (content: File, name: string) => void): void {
  const input = byId("file", HTMLInputElement);
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    if (file) take(file, file.name);
    // So that the same file, picked again, is a change again.
    input.value = "";
  });
}

/** The whole page takes a drop: a near miss must not make the browser leave for the file. */
function connectDrop(take: (content: File, name: string) => void): void {
  const stage = byId("stage", HTMLElement);
  const hasFile = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  document.addEventListener("dragover", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    stage.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) stage.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    stage.classList.remove("over");
    if (!hasFile(event)) return;
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file) take(file, file.name);
  });
}
