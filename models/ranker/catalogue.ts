// The films as items for ranking: features for the base model, and traits for personal tastes.
import type { RankingItem } from "../../src/page/lazy/ranking/types.js";
import { type Film, readFilms } from "./data.js";
import { featuresOf } from "./features.js";

export interface FilmItem extends RankingItem {
  title: string;
  year: number | null;
  /** Number of ratings, for an order by popularity; 0 if unknown. */
  votes: number;
  rating: number | null;
}

/** All films, in the file's order. */
export function catalogue(): FilmItem[] {
  return readFilms().map((film) => ({
    id: film.id,
    title: film.title,
    year: film.year,
    votes: film.votes ?? 0,
    rating: film.rating,
    features: featuresOf(film),
    traits: traitsOf(film),
  }));
}

/** Each trait starts with its kind, so that a genre and a director of the same name differ. */
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
