// Finds the page's elements and creates small ones.

/** The element with this id; throws when the page and the script do not fit each other. */
export function byId<T extends HTMLElement>(id: string, type: abstract new (...args: never[]) => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`The page has no ${type.name} with the id ${id}.`);
  return element;
}

/** A new element with a class and children; strings become text, never markup: names in a report come from strangers. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = "",
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** Writes only what changed, so that a refresh neither moves a selection nor wakes a screen reader. */
export function write(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
