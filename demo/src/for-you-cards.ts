// Shows the films: a card with reasons for each in the personal order, a line for each in the default order.
import type { RankedItem } from "insitu";
import { make } from "./dom.js";
import { colourOf, type Film, factsOf, traitInWords } from "./for-you-films.js";

export interface Shown {
  ranked: RankedItem;
  film: Film;
  /** Position in the default order, from 1. */
  before: number;
}

export type Action = "clicked" | "dismissed";

// More than three reasons are too many to read; a reason below this weight hardly moves a film.
const MAX_REASONS = 3;
const MIN_WEIGHT = 0.05;

export function card({ ranked, film, before }: Shown, place: number, act: (action: Action) => void): HTMLElement {
  const poster = make(
    "div",
    "poster",
    make("span", "title", film.title),
    make("span", "year", String(film.year ?? "")),
  );
  poster.style.background = colourOf(film);
  poster.setAttribute("aria-hidden", "true");
  const heading = make("h4", "", film.title);
  const facts = make("p", "facts-line", factsOf(film));
  const score = make("p", "facts-line", `Expected rating ${ranked.base.toFixed(1)} of 10`, moved(before, place));
  const item = make(
    "li",
    "film",
    poster,
    make("div", "about", heading, facts, score, why(ranked)),
    make("div", "actions", button("Watch", film, "clicked", act), button("Not for me", film, "dismissed", act)),
  );
  item.dataset.film = film.id;
  return item;
}

function moved(before: number, place: number): string {
  if (before > place) return `, up from place ${before}`;
  if (before < place) return `, down from place ${before}`;
  return "";
}

function why({ reasons }: RankedItem): HTMLElement {
  const strong = reasons.filter(({ weight }) => weight >= MIN_WEIGHT).slice(0, MAX_REASONS);
  if (strong.length === 0) return make("p", "why none", "Here by its expected rating.");
  const names = strong.map(({ trait }) => make("span", "reason", traitInWords(trait)));
  return make(
    "p",
    "why",
    "Raised by your taste for ",
    ...names.flatMap((name, at) => (at === 0 ? [name] : [", ", name])),
  );
}

function button(words: string, film: Film, action: Action, act: (action: Action) => void): HTMLButtonElement {
  const made = make("button", "button", words);
  made.type = "button";
  // So that a screen reader's list of buttons names the film.
  made.setAttribute("aria-label", `${words}: ${film.title}`);
  made.dataset.action = action;
  made.addEventListener("click", () => act(action));
  return made;
}

export function line({ film }: Shown): HTMLElement {
  return make("li", "", make("span", "name", film.title), make("span", "facts-line", factsOf(film)));
}
