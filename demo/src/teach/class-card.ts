// The card of one class: its pictures, and the buttons that add and remove pictures. It stays in the page as long as the class is there, and
// so do its buttons: a press that began before a refresh must end on the same button.
import type { PersonalExample } from "insitu";
import { make } from "../dom.js";
import { actionButton } from "./action-button.js";
import { ClassPictures } from "./class-pictures.js";
import { type HoldButton, holdButton } from "./hold-button.js";
import { isSample, type Sample } from "./samples.js";

export interface CardActions {
  addFiles(label: string, files: File[]): Promise<void>;
  /** Only for the sample classes. */
  addCrops(sample: Sample): Promise<void>;
  /** Starts the camera, and shows its picture in the card of the class. */
  startCamera(label: string): Promise<void>;
  /** Takes one picture from the camera, which is on. */
  takePicture(label: string): Promise<void>;
  removeExample(id: string): Promise<void>;
  removeClass(label: string): Promise<void>;
}

export const CROPS = 5;

export class ClassCard {
  readonly element: HTMLLIElement;
  readonly #label: string;
  readonly #count = make("span", "count");
  readonly #pictures: ClassPictures;
  readonly #camera: HTMLButtonElement;
  readonly #hold: HoldButton;
  #preview: HTMLVideoElement | undefined;

  constructor(label: string, actions: CardActions) {
    this.#label = label;
    this.#pictures = new ClassPictures(label, actions.removeExample);
    this.#camera = actionButton("Camera", `Camera for ${label}`, () => actions.startCamera(label));
    this.#hold = holdButton(label, () => actions.takePicture(label));
    this.#hold.button.hidden = true;
    const remove = actionButton("Remove", `Remove the class ${label}`, () => actions.removeClass(label));
    const tools = make("div", "tools", ...addControls(label, actions), this.#camera, this.#hold.button, remove);
    const heading = make("div", "heading", make("h3", "", label), this.#count);
    this.element = make("li", "class", heading, this.#pictures.list, tools);
  }

  /** `thumbnails` has one entry for each example, undefined if there is no picture of it. */
  showExamples(examples: PersonalExample[], thumbnails: (string | undefined)[]): void {
    const text = countText(examples);
    if (this.#count.textContent !== text) this.#count.textContent = text;
    this.#pictures.show(examples, thumbnails);
  }

  /** `preview` is the camera's picture, for the card that shows it. */
  showCamera(isOn: boolean, preview: MediaStream | undefined): void {
    if (!isOn) this.#hold.release();
    this.#camera.hidden = preview !== undefined;
    this.#hold.button.hidden = !isOn;
    if (this.#preview?.srcObject === preview) return;
    this.#preview?.remove();
    this.#preview = preview && cameraPicture(this.#label, preview);
    if (this.#preview) this.#pictures.list.before(this.#preview);
  }

  remove(): void {
    this.#hold.release();
    this.element.remove();
  }
}

function cameraPicture(label: string, stream: MediaStream): HTMLVideoElement {
  const video = make("video", "preview");
  video.muted = true;
  video.playsInline = true;
  video.setAttribute("aria-label", `Camera picture for ${label}`);
  video.srcObject = stream;
  // It rejects when the camera is stopped first.
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
  file.addEventListener("change", () => {
    const files = [...(file.files ?? [])];
    // The same files can be chosen again.
    file.value = "";
    if (files.length > 0) void actions.addFiles(label, files);
  });
  const choose = make("label", "button", "Choose pictures");
  choose.htmlFor = file.id;
  if (!isSample(label)) return [file, choose];
  const text = `Add ${CROPS} crops`;
  return [file, choose, actionButton(text, `${text} of ${label}`, () => actions.addCrops(label))];
}

function countText(examples: PersonalExample[]): string {
  const heldOut = examples.filter((example) => example.heldOut).length;
  const count = examples.length === 1 ? "1 picture" : `${examples.length} pictures`;
  return heldOut > 0 ? `${count}, ${heldOut} held out` : count;
}
