// Runs the camera: recognises one frame after the other, as fast as the model allows, until it is stopped.
import { isInsituError } from "insitu";
import { byId } from "./dom.js";
import { hideFailure, showFailure } from "./failures.js";
import type { Recogniser } from "./recogniser.js";
import type { Stage } from "./stage.js";
import { say } from "./status.js";

export interface Camera {
  /** Stops the camera if it is on. */
  stop(): void;
}

// The models use 512 pixels; a larger picture would only take longer to copy.
const CONSTRAINTS: MediaStreamConstraints = {
  video: { facingMode: "environment", width: { ideal: 960 } },
  audio: false,
};
// The frame rate in the caption is a mean over this many frames, so that it does not flicker.
const RATE_FRAMES = 10;

/** `onStart` is called when the camera replaces the picture on the stage. */
export function connectCamera(stage: Stage, recogniser: Recogniser, onStart: () => void): Camera {
  const button = byId("camera", HTMLButtonElement);
  const caption = byId("caption", HTMLElement);
  let stream: MediaStream | undefined;
  let starting = false;

  const stop = () => {
    if (!stream) return;
    for (const track of stream.getTracks()) track.stop();
    stream = undefined;
    stage.hideVideo();
    button.textContent = "Use the camera";
    button.setAttribute("aria-pressed", "false");
    caption.textContent = "";
    say("The camera is off.");
  };

  const start = async () => {
    hideFailure();
    const opened = await openCamera();
    stream = opened;
    recogniser.forget();
    onStart();
    button.textContent = "Stop the camera";
    button.setAttribute("aria-pressed", "true");
    say("The camera is on. Results update with each frame.");
    await stage.showVideo(opened, "Camera");
    starting = false;
    await recogniseFrames(stage, recogniser, caption, () => stream === opened);
  };

  button.addEventListener("click", async () => {
    if (stream) return stop();
    if (starting) return;
    starting = true;
    try {
      await start();
    } catch (error) {
      stop();
      recogniser.forget();
      showFailure(error);
      say("The camera is off.");
    } finally {
      starting = false;
    }
  });

  return { stop };
}

async function openCamera(): Promise<MediaStream> {
  // Undefined on an insecure page.
  if (!navigator.mediaDevices)
    throw new Error("The camera is not available on this page. It needs https or localhost.");
  return navigator.mediaDevices.getUserMedia(CONSTRAINTS);
}

async function recogniseFrames(
  stage: Stage,
  recogniser: Recogniser,
  caption: HTMLElement,
  isRunning: () => boolean,
): Promise<void> {
  let since = performance.now();
  for (let frame = 1; isRunning(); frame++) {
    await nextFrame(stage.video);
    if (!isRunning()) return;
    try {
      await recogniser.recogniseFrame(stage.video, isRunning);
    } catch (error) {
      // Another backend was chosen. The next frame uses it.
      if (isInsituError(error) && (error.code === "aborted" || error.code === "disposed")) continue;
      throw error;
    }
    if (frame % RATE_FRAMES === 0 && isRunning()) {
      const now = performance.now();
      caption.textContent = `Camera, ${((RATE_FRAMES * 1000) / (now - since)).toFixed(1)} frames per second`;
      since = now;
    }
  }
}

/** Resolves when a new frame can be read. In a hidden page it waits, since nothing is drawn there. */
function nextFrame(video: HTMLVideoElement): Promise<void> {
  return new Promise((done) => {
    requestAnimationFrame(() => {
      if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) done();
      else video.addEventListener("loadeddata", () => done(), { once: true });
    });
  });
}
