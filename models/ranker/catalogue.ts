// The films as items to rank: what the base model reads, and the traits that a user may like or not.
import type { RankingItem } from "../../src/page/lazy/ranking/types.js";
import { type Film, readFilms } from "./data.js";
import { featuresOf } from "./features.js";

export interface FilmItem extends RankingItem {
  title: string;
  year: number | null;
  /** How many people rated it, as a popular order goes by; 0 where nobody counted. */
  votes: number;
  rating: number | null;
}

/** All films; in the file's order. */
export function catalogue(): FilmItem[] {
  return readFilms().map((film) => ({
    ...{ id: film.id, title: film.title, year: film.year, votes: film.votes ?? 0, rating: film.rating },
    features: featuresOf(film),
    traits: traitsOf(film),
  }));
}

/** Named by their kind, so that a Western is told from a director of that name. */
function traitsOf({ genre, director, year, creativeType, mpaa, source }: Film): string[] {
  const kinds: [string, string | null][] = [
    ["genre", genre],
    ["director", director],
    ["decade", year === null ? null : String(Math.floor(year / 10) * 10)],
    ["type", creativeType],
    ["mpaa", mpaa],
    ["source", source],
  ];
  return kinds.flatMap(([kind, value]) => (value === null ? [] : [`${kind}:${value}`]));
}
