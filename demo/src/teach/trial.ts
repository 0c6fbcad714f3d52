// Trying it: a crop, a photo, a file or the camera is shown to what was taught, and what it says is shown as bars.
import { isInsituError, type PersonalModel, type PersonalPrediction } from "insitu";
import { byId, make } from "../dom.js";
import { hideFailure, showFailure } from "../failures.js";
import { duration, percent } from "../words.js";
import { cropOf, SURFACES, stranger } from "./surfaces.js";
import { drawSquare } from "./thumbnails.js";

export interface Trial {
  /** What was shown last is looked at again, by what is in use now. */
  again(): Promise<void>;
}

const NOTHING = "Teach something first.";
const HEADS = { "nearest-mean": "nearest class mean", softmax: "softmax layer" } as const;
const CAMERA: MediaStreamConstraints = { video: { facingMode: "environment", width: { ideal: 640 } }, audio: false };

/** `onCamera` is given what takes a picture while the camera runs. */
export function connectTrial(
  model: () => PersonalModel,
  onCamera: (take: (() => Promise<ImageBitmap>) | undefined) => void,
): Trial {
  const canvas = byId("shown", HTMLCanvasElement);
  const video = byId("video", HTMLVideoElement);
  const said = byId("said", HTMLElement);
  const words = byId("shown-words", HTMLElement);
  let last: ImageBitmap | undefined;
  let stream: MediaStream | undefined;

  const look = async (picture: ImageBitmap | HTMLVideoElement) => {
    try {
      const found = await model().predict(picture);
      show(found);
    } catch (error) {
      // Nothing is taught yet: that is no failure, and the line says what to do.
      if (isInsituError(error) && error.code === "input_invalid" && error.data.examples === 0) {
        said.textContent = NOTHING;
        byId("bars", HTMLOListElement).replaceChildren();
        byId("how", HTMLElement).textContent = "";
        return;
      }
      throw error;
    }
  };

  const take = async (picture: ImageBitmap, caption: string) => {
    stop();
    last?.close();
    last = picture;
    drawSquare(canvas, picture, picture.width, picture.height);
    words.textContent = caption;
    await look(picture);
  };

  const stop = () => {
    if (!stream) return;
    for (const track of stream.getTracks()) track.stop();
    stream = undefined;
    video.hidden = true;
    canvas.hidden = false;
    camera.textContent = "Use the camera";
    camera.setAttribute("aria-pressed", "false");
    onCamera(undefined);
  };

  const start = async () => {
    if (!navigator.mediaDevices) throw new Error("This page may not use a camera: it needs https or localhost.");
    const mine = await navigator.mediaDevices.getUserMedia(CAMERA);
    stream = mine;
    video.srcObject = mine;
    await video.play();
    video.hidden = false;
    canvas.hidden = true;
    words.textContent = "The camera; what is said changes with each picture.";
    camera.textContent = "Stop the camera";
    camera.setAttribute("aria-pressed", "true");
    onCamera(() => createImageBitmap(video));
    while (stream === mine) {
      await new Promise((done) => requestAnimationFrame(done));
      if (stream === mine && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) await look(video);
    }
  };

  const action = (text: string, run: () => Promise<void>): HTMLButtonElement => {
    const button = make("button", "button", text);
    button.type = "button";
    button.addEventListener("click", () => {
      hideFailure();
      void run().catch(showFailure);
    });
    return button;
  };
  const camera = action("Use the camera", async () => (stream ? stop() : start()));
  camera.setAttribute("aria-pressed", "false");
  const file = make("input", "unseen");
  file.type = "file";
  file.accept = "image/*";
  file.id = "try-file";
  const choose = make("label", "button", "Choose a picture");
  choose.htmlFor = file.id;
  file.addEventListener("change", async () => {
    const [chosen] = file.files ?? [];
    file.value = "";
    if (!chosen) return;
    hideFailure();
    try {
      await take(await createImageBitmap(chosen), chosen.name);
    } catch (error) {
      showFailure(error);
    }
  });
  byId("tries", HTMLElement).replaceChildren(
    ...SURFACES.map((surface) =>
      action(`New crop of ${surface}`, async () =>
        take(await cropOf(surface, "right"), `A crop of ${surface} that was not taught`),
      ),
    ),
    action("Coffee, which is none", async () => take(await stranger(), "A photo of something else")),
    file,
    choose,
    camera,
  );

  return {
    async again() {
      if (last) await look(last);
      else if (!stream) said.textContent = (await model().state()).examples > 0 ? "Choose what to look at." : NOTHING;
    },
  };
}

function show({ label, value, head, version, distance, timings, backend }: PersonalPrediction): void {
  const [best] = value;
  const sure = best ? `${percent(best.score)} sure` : "";
  byId("said", HTMLElement).textContent =
    label === undefined ? "Unknown: it is like nothing that was taught." : `${label}, ${sure}.`;
  const bars = value.map((each) => {
    const bar = make("span", "bar");
    bar.style.inlineSize = `${Math.max(0.5, each.score * 100)}%`;
    const isSaid = each.label === label;
    return make(
      "li",
      isSaid ? "said-bar" : "",
      make("span", "name", each.label),
      make("span", "track", bar),
      make("span", "share", percent(each.score)),
    );
  });
  byId("bars", HTMLOListElement).replaceChildren(...bars);
  const by = version === 0 ? "before the first training" : `version ${version}`;
  const far = distance > 1 ? `, ${distance.toFixed(1)} times as far as what belongs` : "";
  byId("how", HTMLElement).textContent = `${HEADS[head]}, ${by}, in ${duration(timings.totalMs)} on ${backend}${far}.`;
}
