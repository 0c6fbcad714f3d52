// A small select in a panel's title: picks one of what the report offers, and keeps the choice over refreshes.
import { make } from "./dom.js";

export interface Chooser {
  element: HTMLElement;
  /** The position of what is chosen; the first, until somebody chooses. */
  choose(names: readonly string[]): number;
  onChange(listener: () => void): void;
}

export function createChooser(label: string): Chooser {
  const select = make("select");
  const element = make("label", "chooser", make("span", "spoken", label), select);
  let wish = "";
  return {
    element,
    choose(names) {
      // One thing is no choice; it stays visible, since it says what the panel shows.
      element.hidden = names.length === 0;
      if (JSON.stringify(names) !== select.dataset.names) {
        select.dataset.names = JSON.stringify(names);
        select.replaceChildren(...names.map((name) => make("option", "", name)));
      }
      const index = Math.max(0, names.indexOf(wish));
      select.selectedIndex = names.length > 0 ? index : -1;
      return index;
    },
    onChange: (listener) =>
      select.addEventListener("change", () => {
        wish = select.value;
        listener();
      }),
  };
}
