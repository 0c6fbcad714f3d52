// Everything that tests put on a page's `window`, typed in one place.
import type * as Insitu from "../../src/index.js";
import type { BoundingBox } from "../../src/index.js";
import type * as FaultPage from "./fault-page.js";

/** What a model with `makePictureModel`'s graph saw of an image. */
export interface SeenImage {
  box: BoundingBox;
  /** Red, green, blue of the input's pixel at `x`, `y`. */
  at: Record<string, number[]>;
}

/** A message of the worker's to the page, as comlink sends it. */
export interface WorkerAnswer {
  name?: string;
  value?: { code?: string; message?: string };
}

declare global {
  interface Window {
    /** The built library, as a page imports it. */
    insitu: typeof Insitu;

    // Clients and models.
    client: Insitu.Client;
    model: Insitu.Model<"classification">;
    digits: Insitu.Model<"classification">;
    /** Store events of `client`, oldest first (support/loads.ts). */
    events: Insitu.StoreEvent[];
    /** Path of a loaded package to a prediction with its model (support/loads.ts). */
    predict: Record<string, () => Promise<number[]>>;
    /** A client whose worker can be broken (support/rigged-worker.ts). */
    rigged: { client: Insitu.Client; model?: Insitu.Model };
    /** A model on a channel, and what its events said (support/counter-site.ts). */
    counter: Insitu.Model;
    told: string[];
    /** Versions of predictions, until `done` resolves (page/lazy/rollout/continuity.test.ts). */
    versions: string[];
    done: Promise<void>;
    stopWatch(): void;
    /** Predictions that go on while versions are swapped (page/lazy/rollout/swap.test.ts). */
    swapLoad: { come: number[][]; failed: string[]; isEnding: boolean; ended: Promise<void> };
    /** Kept while the page is in the back/forward cache. */
    kept: { client: Insitu.Client; model: Insitu.Model<"classification"> };
    /** Events of the model's rollout (support/channel-site.ts). */
    rolled: { type: string; detail: Record<string, unknown> }[];
    /** Calls of the page's own wrapper of `fetch`. */
    calls?: number;
    /** Calls of `navigator.storage.persist`. */
    asked: number;
    /** `persisted` of each `pageshow` event. */
    shows: boolean[];
    /** The bundle of test/support/fault-page.ts. */
    faults: typeof FaultPage;

    // Personal models and rankings.
    base: Insitu.Model;
    mine: Insitu.PersonalModel;
    /** Retrain events of `base`, oldest first. */
    heard: Insitu.RetrainEvent[];
    /** Tells the test that an example was stored. */
    isKept(id: string): void;
    /** An image that does not compress. */
    noise: Blob;
    rankers: Insitu.Client;
    order: Insitu.PersonalRanker;

    // Messages between page and worker (worker/validate-request.test.ts).
    /** The worker of `client`, as an app that passed a function has it. */
    handle: Worker;
    /** Workers that were started: one that died would be replaced, and its calls repeated. */
    started: number;
    /** Sends a request as comlink does; returns the worker's answer, or `undefined` after half a second. */
    request(path: unknown[], given: unknown, more?: object): Promise<WorkerAnswer | undefined>;
    /** Names of changed properties of the worker's prototypes, and the number of predictions its host gives. */
    inspect(): Promise<string[]>;

    // Images (support/scene.ts, worker/runtime/pictures-odd.test.ts, page/predict-all.test.ts).
    scene(width: number, height: number): HTMLCanvasElement;
    /** The mean of the image's pixels in each of the input's, for an image that lies at `left, top, width, height`. */
    meanOf(canvas: HTMLCanvasElement, size: number, at: number[], border: number[]): number[];
    kinds(canvas: HTMLCanvasElement): Promise<Record<string, Insitu.ImageInput>>;
    ask(input: unknown, ...points: [x: number, y: number][]): Promise<SeenImage>;
    /** Left half red, right half blue, but for `top` green in the upper quarter. */
    paint(width: number, height: number): HTMLCanvasElement;
    toBlob(canvas: HTMLCanvasElement, type: string): Promise<Blob>;
    toElement(blob: Blob): Promise<HTMLImageElement>;
    turned(jpeg: Blob, orientation: number): Promise<Blob>;
    digit(id: number): OffscreenCanvas;

    // Video (page/watch.test.ts).
    /** Draws a digit on a canvas of 28 x 28 pixels. */
    draw(canvas: HTMLCanvasElement, digit: number): void;
    /** A video that plays what is drawn on `canvas`, each time it is drawn. */
    play(canvas: HTMLCanvasElement): Promise<HTMLVideoElement>;
    /** A file with `digits`, each shown for a fifth of a second. */
    film(digits: number[]): Promise<Blob>;
    wait(ms: number): Promise<void>;
    /** Number of frame callbacks that are pending. */
    callbacks: number;
  }
}
