// Shows what was learned: tastes with their strength, and the number of stored events.
import type { PersonalRanker } from "insitu";
import { byId, make } from "./dom.js";
import { traitInWords } from "./for-you-films.js";

// A list that can be read at a glance.
const MAX_TASTES = 6;
const MIN_WEIGHT = 0.1;

export async function showTastes(ranker: PersonalRanker): Promise<void> {
  const tastes = ranker.tastes();
  const strongest = Math.abs(tastes[0]?.weight ?? 1);
  const list = (id: string, sign: 1 | -1, none: string) => {
    const found = tastes.filter(({ weight }) => weight * sign > MIN_WEIGHT).slice(0, MAX_TASTES);
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
      ? "Nothing is stored about you."
      : `${events} ${events === 1 ? "event is" : "events are"} stored, on this device only: the films that were shown, chosen and removed.`;
}

/** A weight is a log-odds ratio; it is shown as a factor. */
const odds = (weight: number) =>
  weight > 0 ? `× ${Math.exp(weight).toFixed(1)}` : `÷ ${Math.exp(-weight).toFixed(1)}`;
