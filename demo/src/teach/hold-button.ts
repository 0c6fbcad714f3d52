// A button that takes a picture when pressed, and more while it is held.
import { showFailure } from "../failures.js";
import { actionButton } from "./action-button.js";

// Interval of the pictures while the button is held: the object must move between two of them.
const CAPTURE_MS = 250;

export interface HoldButton {
  button: HTMLButtonElement;
  /** Ends a press, as the release does. */
  release(): void;
}

export function holdButton(label: string, takePicture: () => Promise<void>): HoldButton {
  const button = actionButton("Hold to take pictures", `Hold to take pictures of ${label}`, () => undefined);
  /** The press that takes pictures now. A new one for each press: the loop of the last may still wait for its picture. */
  let held: symbol | undefined;
  const release = () => {
    held = undefined;
  };
  const takeWhileHeld = async () => {
    const mine = Symbol("press");
    held = mine;
    while (held === mine) {
      await takePicture();
      await new Promise((done) => setTimeout(done, CAPTURE_MS));
    }
  };
  button.addEventListener("pointerdown", ({ pointerId }) => {
    if (held) return;
    // New pictures move the button down, from under the pointer. It stays pressed.
    button.setPointerCapture(pointerId);
    takeWhileHeld().catch((error) => {
      release();
      showFailure(error);
    });
  });
  for (const type of ["pointerup", "pointerleave", "pointercancel", "blur"]) button.addEventListener(type, release);
  button.addEventListener("keydown", ({ key, repeat }) => {
    if ((key === " " || key === "Enter") && !repeat) takePicture().catch(showFailure);
  });
  return { button, release };
}
