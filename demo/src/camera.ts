// Runs the camera: frame after frame as fast as the model goes, until it is stopped.
import { isInsituError } from "insitu";
import { byId } from "./dom.js";
import { hideFailure, showFailure } from "./failures.js";
import type { Recogniser } from "./recogniser.js";
import type { Stage } from "./stage.js";
import { say } from "./status.js";

export interface Camera {
  /** Stops the camera, if it runs, and switches it off. */
  stop(): void;
}

// The models look at 512 pixels; more would only cost copies.
const WANTED: MediaStreamConstraints = { video: { facingMode: "environment", width: { ideal: 960 } }, audio: false };
// The caption's rate is a mean over this many frames, or it would flicker.
const RATE_FRAMES = 10;

/** `onStart` is called when the camera takes the stage from a picture. */
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

  const open = async () => {
    hideFailure();
    if (!navigator.mediaDevices) throw new Error("This page may not use a camera: it needs https or localhost.");
    const mine = await navigator.mediaDevices.getUserMedia(WANTED);
    stream = mine;
    recogniser.forget();
    onStart();
    button.textContent = "Stop the camera";
    button.setAttribute("aria-pressed", "true");
    say("The camera is on; results change with each frame.");
    await stage.showVideo(mine, "Camera");
  };

  const follow = async (mine: MediaStream) => {
    let since = performance.now();
    for (let frame = 1; stream === mine; frame++) {
      await nextFrame(stage.video);
      if (stream !== mine) return;
      try {
        await recogniser.look(stage.video, () => stream === mine);
      } catch (error) {
        // Another backend was chosen: the next frame goes to it.
        if (isInsituError(error) && error.code === "aborted") continue;
        throw error;
      }
      if (frame % RATE_FRAMES === 0 && stream === mine) {
        const now = performance.now();
        caption.textContent = `Camera, ${((RATE_FRAMES * 1000) / (now - since)).toFixed(1)} pictures a second`;
        since = now;
      }
    }
  };

  button.addEventListener("click", async () => {
    if (stream) return stop();
    if (starting) return;
    starting = true;
    try {
      await open();
      starting = false;
      if (stream) await follow(stream);
    } catch (error) {
      stop();
      showFailure(error);
      say("The camera is off.");
    } finally {
      starting = false;
    }
  });

  return { stop };
}

/** A frame that was not seen yet; in a hidden page it waits, and so costs nothing. */
function nextFrame(video: HTMLVideoElement): Promise<void> {
  return new Promise((done) => {
    requestAnimationFrame(() => {
      if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) done();
      else video.addEventListener("loadeddata", () => done(), { once: true });
    });
  });
}
