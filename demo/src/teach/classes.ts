// The section "Classes and examples": adds classes and pictures, and shows a card for each class.
import type { PersonalExample, PersonalModel } from "insitu";
import { byId } from "../dom.js";
import { hideFailure, showFailure } from "../failures.js";
import { say } from "../status.js";
import { type CardActions, ClassCard, CROPS } from "./class-card.js";
import { readClassNames, writeClassNames } from "./class-names.js";
import { Refreshes } from "./refreshes.js";
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
  /** By the class. */
  readonly #cards = new Map<string, ClassCard>();
  readonly #refreshes = new Refreshes();
  readonly #actions: CardActions = {
    addFiles: (label, files) => this.#addExamples(label, files),
    addCrops: (sample) => this.#addCrops(sample),
    startCamera: (label) => this.#watch(label),
    takePicture: (label) => this.#takePicture(label),
    removeExample: (id) => this.#removeExample(id),
    removeClass: (label) => this.#removeClass(label),
  };
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

  /** Shows the current classes and examples. Cards and buttons that are there already stay. */
  async show(): Promise<void> {
    const mayShow = this.#refreshes.start();
    const examples = await this.#model().examples();
    const thumbnails = new Map<string, string | undefined>();
    await Promise.all(examples.map(async (example) => thumbnails.set(example.id, await this.#thumbnailOf(example))));
    if (!mayShow()) return;
    for (const { label } of examples) this.#labels.add(label);
    writeClassNames(this.#labels);
    const focused = this.#list.contains(document.activeElement) ? document.activeElement : null;
    this.#showCards();
    for (const [label, card] of this.#cards) {
      const mine = examples.filter((example) => example.label === label);
      card.showExamples(
        mine,
        mine.map(({ id }) => thumbnails.get(id)),
      );
    }
    // The focused button of a picture went with it: the next picture's button has its label.
    if (!focused || focused.isConnected) return;
    const buttons = [...this.#list.querySelectorAll<HTMLElement>("button")];
    buttons.find(({ ariaLabel }) => ariaLabel === focused.ariaLabel)?.focus();
  }

  /** While `camera` is set, each card has a button that takes pictures. */
  setCamera(camera: CameraSource): void {
    this.#camera = camera;
    if (!camera) this.#watched = undefined;
    // At once, whatever the worker is doing.
    this.#showCamera();
    this.#onChange();
  }

  clear(): void {
    this.#refreshes.outdate();
    this.#labels.clear();
    writeClassNames([]);
    this.#thumbnails.clear();
  }

  /** One card for each class, in their order. */
  #showCards(): void {
    for (const [label, card] of this.#cards) {
      if (this.#labels.has(label)) continue;
      card.remove();
      this.#cards.delete(label);
    }
    for (const label of this.#labels) {
      if (this.#cards.has(label)) continue;
      const card = new ClassCard(label, this.#actions);
      this.#cards.set(label, card);
      this.#list.append(card.element);
    }
    this.#showCamera();
    byId("empty", HTMLElement).hidden = this.#cards.size > 0;
  }

  #showCamera(): void {
    const camera = this.#camera;
    for (const [label, card] of this.#cards)
      card.showCamera(camera !== undefined, label === this.#watched ? camera?.stream : undefined);
  }

  async #takePicture(label: string): Promise<void> {
    // It may have been stopped since the press.
    if (this.#camera) await this.#addExamples(label, [await this.#camera.take()]);
  }

  async #watch(label: string): Promise<void> {
    this.#watched = label;
    if (this.#camera) this.#showCamera();
    else await this.#startCamera();
  }

  async #removeExample(id: string): Promise<void> {
    await this.#model().remove(id);
    this.#onChange();
  }

  async #removeClass(label: string): Promise<void> {
    await this.#model().remove({ label });
    // A refresh that asked before would add the class again.
    this.#refreshes.outdate();
    this.#labels.delete(label);
    writeClassNames(this.#labels);
    this.#name.focus();
    this.#onChange();
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
