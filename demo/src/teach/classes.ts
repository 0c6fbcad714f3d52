// The section "Classes and examples": adds classes and pictures, and shows a card for each class.
import type { PersonalExample, PersonalModel } from "insitu";
import { byId } from "../dom.js";
import { hideFailure, showFailure } from "../failures.js";
import { say } from "../status.js";
import { type CardActions, CROPS, classCard } from "./class-card.js";
import { cropOf, SURFACES, type Surface } from "./surfaces.js";
import { thumbnail } from "./thumbnails.js";

/** Takes a picture from the camera; undefined while the camera is off. */
export type CameraSource = (() => Promise<ImageBitmap>) | undefined;

/** The class is a list of cards; its thumbnails are of this visit, unless the example keeps its picture. */
export class ClassList {
  readonly #model: () => PersonalModel;
  readonly #onChange: () => void;
  readonly #list = byId("classes", HTMLUListElement);
  readonly #keep = byId("keep", HTMLInputElement);
  readonly #name = byId("class-name", HTMLInputElement);
  /** Classes with or without pictures. */
  readonly #labels = new Set<string>();
  /** Data URLs by the example's id. */
  readonly #thumbnails = new Map<string, string>();
  #camera: CameraSource;

  /** `onChange` is called after every change of classes or examples. */
  constructor(model: () => PersonalModel, onChange: () => void) {
    this.#model = model;
    this.#onChange = onChange;
    byId("new-class", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#addClass(this.#name.value.trim());
    });
    byId("surfaces", HTMLButtonElement).addEventListener("click", () => void this.#addSurfaces());
  }

  /** Shows the current classes and examples. */
  async show(): Promise<void> {
    const examples = await this.#model().examples();
    for (const { label } of examples) this.#labels.add(label);
    const actions = this.#actions();
    const cards: HTMLElement[] = [];
    for (const label of this.#labels) {
      const mine = examples.filter((example) => example.label === label);
      const thumbnails = await Promise.all(mine.map((example) => this.#thumbnailOf(example)));
      cards.push(classCard(label, mine, thumbnails, actions));
    }
    const focused = document.activeElement?.getAttribute("aria-label");
    this.#list.replaceChildren(...cards);
    byId("empty", HTMLElement).hidden = cards.length > 0;
    // The focused button was replaced by a new one with the same label.
    if (!focused) return;
    const buttons = [...this.#list.querySelectorAll<HTMLElement>("button")];
    buttons.find(({ ariaLabel }) => ariaLabel === focused)?.focus();
  }

  /** While `camera` is set, each card has a button that takes pictures. */
  setCamera(camera: CameraSource): void {
    this.#camera = camera;
    this.#onChange();
  }

  clear(): void {
    this.#labels.clear();
    this.#thumbnails.clear();
  }

  #actions(): CardActions {
    const camera = this.#camera;
    const takePicture = camera && (async (label: string) => this.#addExamples(label, [await camera()]));
    return {
      addFiles: (label, files) => this.#addExamples(label, files),
      addCrops: (surface) => this.#addCrops(surface),
      removeExample: async (id) => {
        await this.#model().remove(id);
        this.#onChange();
      },
      removeClass: async (label) => {
        this.#labels.delete(label);
        await this.#model().remove({ label });
        this.#name.focus();
        this.#onChange();
      },
      takePicture,
    };
  }

  async #addExamples(label: string, inputs: (ImageBitmap | Blob)[]): Promise<void> {
    hideFailure();
    try {
      for (const input of inputs) {
        const { id } = await this.#model().addExample(input, label, { keep: this.#keep.checked });
        this.#thumbnails.set(id, await thumbnail(input));
      }
      say(`${inputs.length === 1 ? "1 picture" : `${inputs.length} pictures`} of ${label} added.`);
    } catch (error) {
      showFailure(error);
    } finally {
      for (const input of inputs) if (input instanceof ImageBitmap) input.close();
      this.#onChange();
    }
  }

  async #addCrops(surface: Surface): Promise<void> {
    const crops = Array.from({ length: CROPS }, () => cropOf(surface, "left"));
    await this.#addExamples(surface, await Promise.all(crops));
  }

  #addClass(label: string): void {
    if (label === "") return;
    this.#name.value = "";
    this.#labels.add(label);
    this.#onChange();
    say(`Class ${label} added. Now add pictures of it.`);
  }

  async #addSurfaces(): Promise<void> {
    for (const surface of SURFACES) this.#labels.add(surface);
    try {
      for (const surface of SURFACES) await this.#addCrops(surface);
    } catch (error) {
      showFailure(error);
    }
  }

  async #thumbnailOf({ id, kept }: PersonalExample): Promise<string | undefined> {
    if (!this.#thumbnails.has(id) && kept) {
      const blob = await this.#model().kept(id);
      if (blob) this.#thumbnails.set(id, await thumbnail(blob));
    }
    return this.#thumbnails.get(id);
  }
}
