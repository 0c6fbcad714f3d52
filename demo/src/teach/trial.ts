// The section "Try it": classifies a crop, a photo, a file or the camera's picture with the visitor's classes.
import { isInsituError, type PersonalModel } from "insitu";
import { byId, make } from "../dom.js";
import { hideFailure, showFailure } from "../failures.js";
import type { CameraSource } from "./classes.js";
import { otherPhoto, SAMPLES, trialCrop } from "./samples.js";
import { drawSquare } from "./thumbnails.js";
import { showNoResult, showResult } from "./trial-result.js";

const NO_EXAMPLES = "Add examples first.";
const CAMERA: MediaStreamConstraints = { video: { facingMode: "environment", width: { ideal: 640 } }, audio: false };

export class Trial {
  readonly #model: () => PersonalModel;
  readonly #onCamera: (camera: CameraSource) => void;
  readonly #canvas = byId("shown", HTMLCanvasElement);
  readonly #video = byId("video", HTMLVideoElement);
  readonly #caption = byId("shown-words", HTMLElement);
  readonly #cameraButton = actionButton("Use the camera", () =>
    this.#stream ? this.#stopCamera() : this.startCamera(),
  );
  #last: ImageBitmap | undefined;
  #stream: MediaStream | undefined;
  #isStarting = false;
  /** Number of predictions: of several that are open only the last one's result is shown. */
  #calls = 0;

  /** `onCamera` receives the camera when it starts, and undefined when it stops. */
  constructor(model: () => PersonalModel, onCamera: (camera: CameraSource) => void) {
    this.#model = model;
    this.#onCamera = onCamera;
    this.#cameraButton.setAttribute("aria-pressed", "false");
    const crops = SAMPLES.map((sample) =>
      actionButton(`New crop of ${sample}`, async () =>
        this.#take(await trialCrop(sample), `A mirrored crop of ${sample}, which is not an example`),
      ),
    );
    const other = actionButton("Astronaut (another object)", async () =>
      this.#take(await otherPhoto(), "A photo of another object"),
    );
    byId("tries", HTMLElement).replaceChildren(...crops, other, ...this.#fileControls(), this.#cameraButton);
  }

  /** Classifies the last picture again, with the version that is in use now. */
  async again(): Promise<void> {
    if (this.#last) return this.#classify(this.#last);
    if (this.#stream) return;
    const { examples } = await this.#model().state();
    // A picture may have been chosen meanwhile.
    if (this.#last || this.#stream) return;
    showNoResult(examples > 0 ? "Choose a picture." : NO_EXAMPLES);
  }

  async #classify(picture: ImageBitmap | HTMLVideoElement): Promise<void> {
    this.#calls += 1;
    const call = this.#calls;
    try {
      const result = await this.#model().predict(picture);
      if (call === this.#calls) showResult(result);
    } catch (error) {
      const hasNoExamples = isInsituError(error) && error.code === "input_invalid" && error.data.examples === 0;
      if (!hasNoExamples) throw error;
      if (call === this.#calls) showNoResult(NO_EXAMPLES);
    }
  }

  async #take(picture: ImageBitmap, caption: string): Promise<void> {
    this.#stopCamera();
    this.#last?.close();
    this.#last = picture;
    drawSquare(this.#canvas, picture, picture.width, picture.height);
    this.#caption.textContent = caption;
    await this.#classify(picture);
  }

  #fileControls(): HTMLElement[] {
    const file = make("input", "unseen");
    file.type = "file";
    file.accept = "image/*";
    file.id = "try-file";
    const label = make("label", "button", "Choose a picture");
    label.htmlFor = file.id;
    file.addEventListener("change", async () => {
      const [chosen] = file.files ?? [];
      file.value = "";
      if (!chosen) return;
      hideFailure();
      try {
        await this.#take(await createImageBitmap(chosen), chosen.name);
      } catch (error) {
        showFailure(error);
      }
    });
    return [file, label];
  }

  /** Starts the camera and classifies its picture until it is stopped. Rejects where there is none. */
  async startCamera(): Promise<void> {
    if (!navigator.mediaDevices)
      throw new Error("The camera is not available on this page. It needs https or localhost.");
    // A second press, while the visitor is asked or the camera starts, would open it twice.
    if (this.#isStarting || this.#stream) return;
    const video = this.#video;
    this.#isStarting = true;
    const stream = await navigator.mediaDevices.getUserMedia(CAMERA).finally(() => {
      this.#isStarting = false;
    });
    this.#stream = stream;
    video.srcObject = stream;
    await video.play();
    video.hidden = false;
    this.#canvas.hidden = true;
    this.#caption.textContent = "Camera. The result updates with each frame.";
    this.#cameraButton.textContent = "Stop the camera";
    this.#cameraButton.setAttribute("aria-pressed", "true");
    this.#onCamera({ stream, take: () => createImageBitmap(video) });
    while (this.#stream === stream) {
      await new Promise((done) => requestAnimationFrame(done));
      const isReady = video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA;
      if (this.#stream === stream && isReady) await this.#classify(video);
    }
  }

  #stopCamera(): void {
    if (!this.#stream) return;
    for (const track of this.#stream.getTracks()) track.stop();
    this.#stream = undefined;
    this.#video.hidden = true;
    this.#canvas.hidden = false;
    this.#cameraButton.textContent = "Use the camera";
    this.#cameraButton.setAttribute("aria-pressed", "false");
    this.#onCamera(undefined);
  }
}

function actionButton(text: string, run: () => void | Promise<void>): HTMLButtonElement {
  const button = make("button", "button", text);
  button.type = "button";
  button.addEventListener("click", async () => {
    hideFailure();
    try {
      await run();
    } catch (error) {
      showFailure(error);
    }
  });
  return button;
}
