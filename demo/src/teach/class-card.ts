// Builds the card of one class: its pictures, and the buttons that add and remove pictures.
import type { PersonalExample } from "insitu";
import { make } from "../dom.js";
import { showFailure } from "../failures.js";
import { isSample, type Sample } from "./samples.js";

export interface CardActions {
  addFiles(label: string, files: File[]): Promise<void>;
  /** Only for the sample classes. */
  addCrops(sample: Sample): Promise<void>;
  /** Starts the camera, and shows its picture in the card of the class. */
  startCamera(label: string): Promise<void>;
  /** The camera's picture, for the card that shows it. */
  preview?: MediaStream | undefined;
  /** Takes one picture from the camera; undefined while the camera is off. */
  takePicture?: (label: string) => Promise<void>;
  removeExample(id: string): Promise<void>;
  removeClass(label: string): Promise<void>;
}

export const CROPS = 5;
// Interval of the pictures while the button is held: the object must move between two of them.
const CAPTURE_MS = 250;

/** `thumbnails` has one entry for each example, undefined if there is no picture of it. */
export function classCard(
  label: string,
  examples: PersonalExample[],
  thumbnails: (string | undefined)[],
  actions: CardActions,
): HTMLLIElement {
  const title = make("h3", "", label);
  const count = make("span", "count", countText(examples));
  const shown = make("ul", "thumbs");
  shown.setAttribute("aria-label", `Pictures of ${label}`);
  const pictures = examples.map((example, index) => pictureButton(example, index, thumbnails[index], actions));
  shown.append(...pictures.map((picture) => make("li", "", picture)));
  const remove = actionButton("Remove", `Remove the class ${label}`, () => actions.removeClass(label));
  const tools = make("div", "tools", ...addControls(label, actions), remove);
  const heading = make("div", "heading", title, count);
  const preview = actions.preview ? [cameraPicture(label, actions.preview)] : [];
  return make("li", "class", heading, ...preview, shown, tools);
}

function cameraPicture(label: string, stream: MediaStream): HTMLVideoElement {
  const video = make("video", "preview");
  video.muted = true;
  video.playsInline = true;
  video.setAttribute("aria-label", `Camera picture for ${label}`);
  video.srcObject = stream;
  // It rejects when the card is replaced first.
  video.play().catch(() => undefined);
  return video;
}

function addControls(label: string, actions: CardActions): HTMLElement[] {
  const file = make("input", "unseen");
  file.type = "file";
  file.accept = "image/*";
  file.multiple = true;
  file.id = `file-${encodeURIComponent(label)}`;
  file.setAttribute("aria-label", `Choose pictures of ${label}`);
  file.addEventListener("change", () => void actions.addFiles(label, [...(file.files ?? [])]));
  const choose = make("label", "button", "Choose pictures");
  choose.htmlFor = file.id;
  const controls: HTMLElement[] = [file, choose];
  if (isSample(label)) {
    const text = `Add ${CROPS} crops`;
    controls.push(actionButton(text, `${text} of ${label}`, () => actions.addCrops(label)));
  }
  if (!actions.preview) controls.push(actionButton("Camera", `Camera for ${label}`, () => actions.startCamera(label)));
  if (actions.takePicture) controls.push(holdButton(label, actions.takePicture));
  return controls;
}

/** Takes a picture when pressed, and more while it is held. */
function holdButton(label: string, takePicture: (label: string) => Promise<void>): HTMLButtonElement {
  const hold = actionButton("Hold to take pictures", `Hold to take pictures of ${label}`, () => undefined);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const repeat = async () => {
    await takePicture(label);
    if (timer !== undefined) timer = setTimeout(() => void repeat(), CAPTURE_MS);
  };
  const begin = () => {
    timer ??= setTimeout(() => void repeat(), 0);
  };
  const end = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  hold.addEventListener("pointerdown", begin);
  for (const type of ["pointerup", "pointerleave", "pointercancel", "blur"]) hold.addEventListener(type, end);
  hold.addEventListener("keydown", ({ key, repeat: isRepeat }) => {
    if ((key === " " || key === "Enter") && !isRepeat) void takePicture(label);
  });
  return hold;
}

function pictureButton(
  { id, label, heldOut }: PersonalExample,
  index: number,
  url: string | undefined,
  actions: CardActions,
): HTMLButtonElement {
  const text = `Remove picture ${index + 1} of ${label}${heldOut ? ", held out from training" : ""}`;
  const content = url ? make("img") : make("span", "blank", String(index + 1));
  if (content instanceof HTMLImageElement) {
    content.src = url ?? "";
    content.alt = "";
  }
  const remove = actionButton("", text, () => actions.removeExample(id));
  remove.className = heldOut ? "thumb held" : "thumb";
  remove.title = heldOut ? "Held out: used to measure accuracy only. Click to remove." : "Click to remove.";
  remove.replaceChildren(content);
  return remove;
}

function countText(examples: PersonalExample[]): string {
  const heldOut = examples.filter((example) => example.heldOut).length;
  const count = examples.length === 1 ? "1 picture" : `${examples.length} pictures`;
  return heldOut > 0 ? `${count}, ${heldOut} held out` : count;
}

/** `label` is read by screen readers in place of `text`. */
function actionButton(text: string, label: string, run: () => void | Promise<void>): HTMLButtonElement {
  const button = make("button", "button", text);
  button.type = "button";
  button.setAttribute("aria-label", label);
  button.addEventListener("click", async () => {
    try {
      await run();
    } catch (error) {
      showFailure(error);
    }
  });
  return button;
}
