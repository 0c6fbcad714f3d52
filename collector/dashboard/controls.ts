// The row of controls: shows the view and tells when the reader wants another.
import type { Report } from "../src/report-types.js";
import { byId, make } from "./dom.js";
import { RANGES, type RangeName, timeOf, type View } from "./view.js";

export interface Controls {
  show(view: View): void;
  /** What the collector knows is what can be chosen. */
  offer(models: Report["models"], view: View): void;
}

const FILTERS = ["model", "version", "backend"] as const;

export function createControls(onChange: (view: View) => void): Controls {
  const form = byId("controls", HTMLFormElement);
  const custom = byId("custom", HTMLDivElement);
  const from = byId("from", HTMLInputElement);
  const to = byId("to", HTMLInputElement);
  const selects = { model: select("model"), version: select("version"), backend: select("backend") };
  let current: View | null = null;

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", (event) => {
    if (!current) return;
    const range = (new FormData(form).get("range") ?? "1h") as View["range"];
    const chosen = { model: selects.model.value, version: selects.version.value, backend: selects.backend.value };
    // Another model has other versions: a version that stays would mostly name nothing.
    if (event.target === selects.model) chosen.version = "";
    if (range !== "custom") return onChange({ range, from: null, to: null, ...chosen });
    if (current.range !== "custom") fillCustom(current.range);
    custom.hidden = false;
    const [begin, end] = [timeOf(from.value), timeOf(to.value)];
    const wrong = !(begin < end);
    to.setCustomValidity(wrong ? "The end must come after the begin." : "");
    if (wrong) to.reportValidity();
    else onChange({ range, from: begin, to: end, ...chosen });
  });

  /** Begins with what is on the screen. */
  function fillCustom(range: RangeName): void {
    from.value = localTime(Date.now() - RANGES[range]);
    to.value = localTime(Date.now());
  }

  return {
    show(view) {
      current = view;
      for (const input of form.querySelectorAll<HTMLInputElement>("input[type=radio]"))
        input.checked = input.value === view.range;
      custom.hidden = view.range !== "custom";
      if (view.from !== null) from.value = localTime(view.from);
      if (view.to !== null) to.value = localTime(view.to);
      for (const name of FILTERS) fillSelect(selects[name], selects[name].dataset.all?.split("\n") ?? [], view[name]);
    },
    offer(models, view) {
      const chosen = models.filter(({ name }) => view.model === "" || name === view.model);
      const offered = {
        model: models.map(({ name }) => name),
        version: chosen.flatMap(({ versions }) => versions),
        backend: chosen.flatMap(({ backends }) => backends),
      };
      for (const name of FILTERS) fillSelect(selects[name], offered[name], view[name]);
    },
  };
}

function select(id: string): HTMLSelectElement {
  return byId(id, HTMLSelectElement);
}

function fillSelect(element: HTMLSelectElement, offered: readonly string[], chosen: string): void {
  // What the address names stays visible also when the collector has nothing of that name.
  const names = [...new Set([...offered, chosen])].filter(Boolean).sort();
  const all = names.join("\n");
  if (element.dataset.all !== all || element.options.length === 0) {
    element.dataset.all = all;
    const options = names.map((name) => {
      const option = make("option", "", name);
      option.value = name;
      return option;
    });
    const any = make("option", "", "all");
    any.value = "";
    element.replaceChildren(any, ...options);
  }
  element.value = chosen;
}

/** As `datetime-local` wants it: the reader's time zone, to the minute. */
function localTime(ms: number): string {
  const offset = new Date(ms).getTimezoneOffset() * 60_000;
  return new Date(ms - offset).toISOString().slice(0, 16);
}
