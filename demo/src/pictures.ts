// The sources of pictures: samples, a chosen file, drag and drop, the clipboard.
import { byId, make } from "./dom.js";
import { showFailure } from "./failures.js";
import type { Picture } from "./recogniser.js";

const SAMPLES = [
  { file: "chelsea", name: "Cat", title: "A cat" },
  { file: "several", name: "Several", title: "A person, a cat and a cup" },
  { file: "coffee", name: "Coffee", title: "A cup of coffee" },
  { file: "astronaut", name: "Astronaut", title: "An astronaut" },
  { file: "rocket", name: "Rocket", title: "A rocket on its pad" },
] as const;

export interface Pictures {
  /** Chooses the first sample, so that the page opens with a result. */
  first(): void;
  /** Deselects the samples. */
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
      if (!response.ok) throw new Error(`The sample photo ${file}.jpg could not be loaded: HTTP ${response.status}.`);
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
    // So that choosing the same file again is a change.
    input.value = "";
  });
}

/** The whole page accepts a drop: otherwise the browser would open a file that was dropped beside the stage. */
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
