// The section "Classes and examples": adds classes and pictures, and shows a card for each class.
import type { PersonalExample, PersonalModel } from "insitu";
import { byId } from "../dom.js";
import { hideFailure, showFailure } from "../failures.js";
import { say } from "../status.js";
import { type CardActions, CROPS, classCard } from "./class-card.js";
import { readClassNames, writeClassNames } from "./class-names.js";
import { exampleCrops, SAMPLES, type Sample } from "./samples.js";
import { thumbnail } from "./thumbnails.js";

/** The camera that is on; undefined while it is off. */
export type CameraSource = { stream: MediaStream; take(): Promise<ImageBitmap> } | undefined;

/** The class is a list of cards; its thumbnails are of this visit, unless the example keeps its picture. */
export class ClassList {
  readonly #model: () => PersonalModel;
  readonly #onChange: () => void;
  readonly #list = byId("classes", HTMLUListElement);
  readonly #keep = byId("keep", HTMLInputElement);
  readonly #name = byId("class-name", HTMLInputElement);
  /** Classes with or without pictures. */
  readonly #labels = new Set<string>(readClassNames());
  /** Data URLs by the example's id. */
  readonly #thumbnails = new Map<string, string>();
  readonly #startCamera: () => Promise<void>;
  #camera: CameraSource;
  /** The class that the camera was started for: its card shows the picture. */
  #watched: string | undefined;

  /** `onChange` is called after every change of classes or examples, `startCamera` when a card asks for the camera. */
  constructor(model: () => PersonalModel, onChange: () => void, startCamera: () => Promise<void>) {
    this.#model = model;
    this.#onChange = onChange;
    this.#startCamera = startCamera;
    byId("new-class", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#addClass(this.#name.value.trim());
    });
    byId("samples", HTMLButtonElement).addEventListener("click", () => void this.#addSamples());
  }

  /** Shows the current classes and examples. */
  async show(): Promise<void> {
    const examples = await this.#model().examples();
    for (const { label } of examples) this.#labels.add(label);
    writeClassNames(this.#labels);
    const actions = this.#actions();
    const cards: HTMLElement[] = [];
    for (const label of this.#labels) {
      const mine = examples.filter((example) => example.label === label);
      const thumbnails = await Promise.all(mine.map((example) => this.#thumbnailOf(example)));
      cards.push(classCard(label, mine, thumbnails, { ...actions, preview: this.#previewOf(label) }));
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
    if (!camera) this.#watched = undefined;
    this.#onChange();
  }

  clear(): void {
    this.#labels.clear();
    writeClassNames([]);
    this.#thumbnails.clear();
  }

  #actions(): CardActions {
    const camera = this.#camera;
    const takePicture = camera && (async (label: string) => this.#addExamples(label, [await camera.take()]));
    return {
      addFiles: (label, files) => this.#addExamples(label, files),
      addCrops: (sample) => this.#addCrops(sample),
      removeExample: async (id) => {
        await this.#model().remove(id);
        this.#onChange();
      },
      removeClass: async (label) => {
        this.#labels.delete(label);
        writeClassNames(this.#labels);
        await this.#model().remove({ label });
        this.#name.focus();
        this.#onChange();
      },
      startCamera: async (label) => {
        this.#watched = label;
        if (camera) this.#onChange();
        else await this.#startCamera();
      },
      takePicture,
    };
  }

  #previewOf(label: string): MediaStream | undefined {
    return label === this.#watched ? this.#camera?.stream : undefined;
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

  async #addCrops(sample: Sample): Promise<void> {
    await this.#addExamples(sample, await exampleCrops(sample, CROPS));
  }

  #addClass(label: string): void {
    if (label === "") return;
    this.#name.value = "";
    this.#labels.add(label);
    // At once: `show` asks for the examples first, and the visitor may leave before.
    writeClassNames(this.#labels);
    this.#onChange();
    say(`Class ${label} added. Now add pictures of it.`);
  }

  async #addSamples(): Promise<void> {
    for (const sample of SAMPLES) this.#labels.add(sample);
    try {
      for (const sample of SAMPLES) await this.#addCrops(sample);
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
