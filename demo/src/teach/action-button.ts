// A button that does something for a class, and shows on the page why it could not.
import { make } from "../dom.js";
import { showFailure } from "../failures.js";

/** `label` is read by screen readers in place of `text`. */
export function actionButton(text: string, label: string, run: () => void | Promise<void>): HTMLButtonElement {
  const button = make("button", "button", text);
  button.type = "button";
  button.setAttribute("aria-label", label);
  button.addEventListener("click", async () => {
    try {
      await run();
    } catch (error) {
      showFailure(error);
    }
  });
  return button;
}
