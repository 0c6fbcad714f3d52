// Shows one picture at a time, a photo or the camera, with bounding boxes over it.
import type { Detection } from "insitu";
import { byId } from "./dom.js";
import { createOverlay } from "./overlay.js";

export interface Stage {
  readonly video: HTMLVideoElement;
  /** Shows a photo without boxes. Resolves to false if the browser cannot decode it. */
  showPhoto(photo: Blob, caption: string): Promise<boolean>;
  showVideo(stream: MediaStream, caption: string): Promise<void>;
  hideVideo(): void;
  /** Shows neither a photo nor the camera. */
  clear(): void;
  /** Draws boxes, which are in pixels of the photo or video. */
  mark(found: Detection[]): void;
}

export function createStage(): Stage {
  const image = byId("photo", HTMLImageElement);
  const video = byId("video", HTMLVideoElement);
  const caption = byId("caption", HTMLElement);
  const overlay = createOverlay(byId("overlay", HTMLCanvasElement));
  let url = "";

  const hideVideo = () => {
    video.srcObject = null;
    video.hidden = true;
    overlay.clear();
  };

  return {
    video,
    hideVideo,
    clear() {
      hideVideo();
      image.hidden = true;
      image.removeAttribute("src");
      caption.textContent = "";
    },
    async showPhoto(photo, text) {
      const next = new Image();
      const nextUrl = URL.createObjectURL(photo);
      next.src = nextUrl;
      try {
        await next.decode();
      } catch {
        URL.revokeObjectURL(nextUrl);
        return false;
      }
      hideVideo();
      image.src = nextUrl;
      // Wait for the layout before boxes are drawn; the image is already decoded.
      await image.decode().catch(() => undefined);
      if (url) URL.revokeObjectURL(url);
      url = nextUrl;
      image.alt = text;
      image.hidden = false;
      caption.textContent = `${text}, ${image.naturalWidth} × ${image.naturalHeight} pixels`;
      return true;
    },
    async showVideo(stream, text) {
      overlay.clear();
      image.hidden = true;
      video.srcObject = stream;
      video.hidden = false;
      caption.textContent = text;
      await video.play();
    },
    mark(found) {
      if (!video.hidden) overlay.show(found, video, video.videoWidth, video.videoHeight);
      else if (!image.hidden) overlay.show(found, image, image.naturalWidth, image.naturalHeight);
    },
  };
}
