// Shows what was learned: tastes with their strength, and how much is kept.
import type { PersonalRanker } from "insitu";
import { byId, make } from "./dom.js";
import { traitInWords } from "./for-you-films.js";

// As many as are taken in at a glance.
const MOST = 6;
const LEAST_WEIGHT = 0.1;

export async function showTastes(ranker: PersonalRanker): Promise<void> {
  const tastes = ranker.tastes();
  const strongest = Math.abs(tastes[0]?.weight ?? 1);
  const list = (id: string, sign: 1 | -1, none: string) => {
    const found = tastes.filter(({ weight }) => weight * sign > LEAST_WEIGHT).slice(0, MOST);
    const rows = found.map(({ trait, weight }) => {
      const fill = make("span");
      fill.style.width = `${(100 * Math.abs(weight)) / strongest}%`;
      const bar = make("span", "track", fill);
      bar.setAttribute("aria-hidden", "true");
      return make("li", "", make("span", "", traitInWords(trait)), bar, make("span", "number", odds(weight)));
    });
    byId(id, HTMLElement).replaceChildren(...(rows.length > 0 ? rows : [make("li", "none", none)]));
  };
  list("likes", 1, "Nothing yet: choose a film.");
  list("dislikes", -1, "Nothing yet.");
  const events = (await ranker.events()).length;
  byId("kept", HTMLElement).textContent =
    events === 0
      ? "Nothing is kept about you."
      : `${events} ${events === 1 ? "event is" : "events are"} kept on this device, and nowhere else: what was shown, chosen and sent away.`;
}

/** A weight is a logarithm of odds; a person reads a factor. */
const odds = (weight: number) =>
  weight > 0 ? `× ${Math.exp(weight).toFixed(1)}` : `÷ ${Math.exp(-weight).toFixed(1)}`;
