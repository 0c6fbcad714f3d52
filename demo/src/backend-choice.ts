// The list of backends: disables those that this browser cannot run, with the reason; warns of cpu, and lets it be cancelled.
import { type Backend, type BackendRefusal, type Client, isInsituError } from "insitu";
import { byId } from "./dom.js";
import type { Choice } from "./engine.js";

const BACKENDS: readonly Backend[] = ["webgpu", "wasm", "cpu"];

export interface BackendChoice {
  readonly current: Choice;
  /** Asks the browser once which backends it can run. Rejects as `Client.capabilities` does. */
  check(client: Client): Promise<void>;
  /** Disables those that could not run the model, where that is why it could not be loaded. */
  refuse(error: unknown): void;
  /** Until `work` settles the choice of cpu can be cancelled, which returns to the previous choice. */
  follow(work: Promise<unknown>): void;
}

/** `onChange` is called after the visitor's choice, and after a cancellation. */
export function connectBackendChoice(onChange: (choice: Choice) => void): BackendChoice {
  const select = byId("backend", HTMLSelectElement);
  const warning = byId("slow", HTMLElement);
  const cancel = byId("cancel", HTMLButtonElement);
  const reasons = new Map<Backend, string>();
  let current = choiceOf(select.value);
  let previous: Choice = "auto";
  let followed: Promise<unknown> | undefined;

  const disable = () => showReasons(select, current, reasons);

  const change = (next: Choice) => {
    previous = current === "cpu" ? previous : current;
    current = next;
    select.value = next;
    warning.hidden = next !== "cpu";
    cancel.hidden = true;
    disable();
    onChange(next);
  };
  select.addEventListener("change", () => change(choiceOf(select.value)));
  cancel.addEventListener("click", () => {
    // Hiding the focused button would lose the focus.
    select.focus();
    change(previous);
  });
  warning.hidden = current !== "cpu";

  return {
    get current() {
      return current;
    },
    async check(client) {
      const { backends } = await client.capabilities();
      for (const { backend, available, reason } of backends)
        if (!available) reasons.set(backend, reason ?? "this browser does not have it.");
      disable();
    },
    refuse(error) {
      if (!isInsituError(error) || error.code !== "backend_unavailable") return;
      for (const { backend, reason } of (error.data.refused ?? []) as BackendRefusal[]) reasons.set(backend, reason);
      disable();
    },
    follow(work) {
      followed = work;
      cancel.hidden = current !== "cpu";
      const done = () => {
        if (followed !== work) return;
        if (document.activeElement === cancel) select.focus();
        cancel.hidden = true;
      };
      work.then(done, done);
    },
  };
}

/** Disables what cannot run, except the chosen one: the failure of its load is on the page. */
function showReasons(select: HTMLSelectElement, current: Choice, reasons: ReadonlyMap<Backend, string>): void {
  for (const [backend, reason] of reasons) {
    const option = select.querySelector<HTMLOptionElement>(`option[value="${backend}"]`);
    if (option) option.disabled = backend !== current;
    if (option) option.title = reason;
  }
  const why = [...reasons].map(([backend, reason]) => `${backend} cannot run here: ${reason}.`);
  byId("backend-why", HTMLElement).textContent = why.join(" ").replaceAll("..", ".");
}

function choiceOf(value: string): Choice {
  return BACKENDS.find((backend) => backend === value) ?? "auto";
}
