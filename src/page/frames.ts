// Calls back when a video or canvas shows a new image, at most as often as is wanted, and when there will be no more.
import { InsituError } from "../shared/errors.js";
import { invalidOption } from "../shared/invalid-option.js";
import type { WatchOptions, WatchSource } from "./api-types.js";
import { isInstanceOf } from "./input/capture-image.js";

export interface FrameSource {
  source: WatchSource;
  /** Calls back until what it returns is called; `onEnd` is called once at most, with why when the source failed. */
  open(onFrame: () => void, onEnd: (error?: InsituError) => void): () => void;
}

/** Throws `input_invalid`. A page that is hidden shows no frames: browsers pause both kinds of callback there. */
export function openFrames(source: WatchSource, every: NonNullable<WatchOptions["every"]>): FrameSource {
  if (every !== "frame" && !(every > 0)) throw invalidOption("every", every, '"frame", or milliseconds over 0');
  const open = isInstanceOf(source, "HTMLVideoElement")
    ? (onFrame: () => void, onEnd: (error?: InsituError) => void) =>
        openVideo(source as HTMLVideoElement, onFrame, onEnd)
    : isInstanceOf(source, "HTMLCanvasElement") && repaints;
  if (!open) {
    const message = "watch takes a video or canvas element. A MediaStreamTrack goes into a video by its srcObject.";
    throw new InsituError("input_invalid", message);
  }
  return {
    source,
    open: (onFrame, onEnd) => open(every === "frame" ? onFrame : paced(onFrame, every), onEnd),
  };
}

/** True once the page has taken a video's source away; `networkState` says so a moment later only. */
export function isGone(source: WatchSource): boolean {
  const { srcObject, src } = source as HTMLVideoElement;
  return isInstanceOf(source, "HTMLVideoElement") && !srcObject && !src && !source.querySelector("source");
}

/** Passes on calls that come at least `every` milliseconds after the last one, at the rate that was asked for. */
function paced(onFrame: () => void, every: number): () => void {
  let due = 0;
  return () => {
    const now = performance.now();
    if (now < due) return;
    // Frames come a little late, which must not add up; after a pause the rate starts anew.
    due = due + every > now ? due + every : now + every;
    onFrame();
  };
}

function openVideo(video: HTMLVideoElement, onFrame: () => void, onEnd: (error?: InsituError) => void): () => void {
  const events = new AbortController();
  const { signal } = events;
  const onError = () => {
    const { code, message = "" } = video.error ?? {};
    onEnd(new InsituError("input_invalid", `The video cannot be played: ${message || "no reason given"}.`, { code }));
  };
  /** Chromium does not end a video whose stream has no live track any more, as the standard says. */
  const follow = () => {
    const stream = video.srcObject;
    if (!isInstanceOf(stream, "MediaStream")) return;
    const onInactive = () => void (video.srcObject === stream && !(stream as MediaStream).active && onEnd());
    (stream as MediaStream).addEventListener("inactive", onInactive, { signal });
    onInactive();
  };
  video.addEventListener("loadstart", follow, { signal });
  follow();
  video.addEventListener("ended", () => onEnd(), { signal });
  // It also comes before another source is loaded.
  video.addEventListener("emptied", () => isGone(video) && onEnd(), { signal });
  video.addEventListener("error", onError, { signal });
  if (video.error) onError();
  else if (video.ended) onEnd();
  // Firefox has it since version 132.
  const cancel = "requestVideoFrameCallback" in video ? presented(video, onFrame) : changed(video, onFrame);
  return () => {
    events.abort();
    cancel();
  };
}

function presented(video: HTMLVideoElement, onFrame: () => void): () => void {
  let handle = 0;
  const next = () => {
    handle = video.requestVideoFrameCallback(() => {
      next();
      onFrame();
    });
  };
  next();
  return () => video.cancelVideoFrameCallback(handle);
}

/** At each repaint of the page at which the video has moved on. */
function changed(video: HTMLVideoElement, onFrame: () => void): () => void {
  let shown = -1;
  return repaints(() => {
    if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || video.currentTime === shown) return;
    shown = video.currentTime;
    onFrame();
  });
}

function repaints(onFrame: () => void): () => void {
  let handle = 0;
  const next = () => {
    handle = requestAnimationFrame(() => {
      next();
      onFrame();
    });
  };
  next();
  return () => cancelAnimationFrame(handle);
}
