// Computes a film's features for the base model; none of them uses the film's own rating.
import { type Film, foldOf, isHeldOut, readFilms } from "./data.js";

const MPAA = ["G", "PG", "PG-13", "R", "NC-17", "Not Rated"];
const GENRES = [
  ...["Action", "Adventure", "Black Comedy", "Comedy", "Concert/Performance", "Documentary", "Drama", "Horror"],
  ...["Musical", "Romantic Comedy", "Thriller/Suspense", "Western"],
];
const TYPES = [
  ...["Contemporary Fiction", "Dramatization", "Factual", "Fantasy", "Historical Fiction", "Kids Fiction"],
  ...["Science Fiction", "Super Hero"],
];
// Values of more than 50 films; rarer ones are "other".
const SOURCES = [
  ...["Original Screenplay", "Based on Book/Short Story", "Based on Real Life Events", "Remake", "Based on TV"],
  ...["Based on Comic/Graphic Novel", "Based on Play"],
];
const DISTRIBUTORS = [
  ...["Warner Bros.", "Sony Pictures", "Paramount Pictures", "Universal", "Walt Disney Pictures", "20th Century Fox"],
  ...["MGM", "Miramax", "New Line", "Lionsgate", "Sony Pictures Classics", "Fox Searchlight"],
];

/** One-hot: one of the list, another value, or unknown. */
const oneOf = (list: string[], value: string | null) => [
  ...list.map((name) => Number(name === value)),
  Number(value !== null && !list.includes(value)),
  Number(value === null),
];

/** Unknown values are 0, and flagged by a feature of their own. */
const known = (value: number | null, scaled: (value: number) => number) =>
  value === null ? [0, 1] : [scaled(value), 0];

/** Base-10 logarithm relative to `middle`: money and votes span six powers of ten. */
const power = (middle: number) => (value: number) => Math.log10(value) - middle;

function numbersOf(film: Film): number[] {
  return [
    ...known(film.budget, power(7)),
    ...known(film.usGross, power(7)),
    ...known(film.worldGross, power(7)),
    ...known(film.minutes, (minutes) => (minutes - 107) / 30),
    ...known(film.year, (year) => (year - 1995) / 15),
    ...known(film.votes, power(4)),
    ...known(film.critics, (share) => (share - 50) / 30),
    ...oneOf(MPAA, film.mpaa),
    ...oneOf(GENRES, film.genre),
    ...oneOf(TYPES, film.creativeType),
    ...oneOf(SOURCES, film.source),
    ...oneOf(DISTRIBUTORS, film.distributor),
    ...directorOf(film),
  ];
}

// Weight of the overall mean in number of films: the mean of a single film predicts little.
const SHRINK = 3;
const FOLDS = 5;

interface Work {
  sum: number;
  count: number;
}

let works: { total: Work; parts: Map<string, Work>[]; all: Map<string, Work> } | undefined;

/**
 * Mean rating of the director's other films, and their number (target encoding, Micci-Barreca 2001). For a training film it uses only
 * training films of other folds, so never the film's own rating; for a held-out film it uses all training films, as for a new film.
 */
function directorOf(film: Film): number[] {
  works ??= countWorks();
  const { total, parts, all } = works;
  const { director } = film;
  if (director === null) return [0, 0, 1];
  const part = isHeldOut(film) ? undefined : parts[foldOf(film, FOLDS)]?.get(director);
  const { sum, count } = all.get(director) ?? { sum: 0, count: 0 };
  const others = { sum: sum - (part?.sum ?? 0), count: count - (part?.count ?? 0) };
  const mean = total.sum / total.count;
  return [(others.sum - others.count * mean) / (others.count + SHRINK), Math.log1p(others.count), 0];
}

function countWorks() {
  const total = { sum: 0, count: 0 };
  const all = new Map<string, Work>();
  const parts = Array.from({ length: FOLDS }, () => new Map<string, Work>());
  const add = (to: Map<string, Work>, director: string, rating: number) => {
    const before = to.get(director) ?? { sum: 0, count: 0 };
    to.set(director, { sum: before.sum + rating, count: before.count + 1 });
  };
  for (const film of readFilms()) {
    if (film.rating === null || isHeldOut(film)) continue;
    total.sum += film.rating;
    total.count += 1;
    if (film.director === null) continue;
    add(all, film.director, film.rating);
    add(parts[foldOf(film, FOLDS)] as Map<string, Work>, film.director, film.rating);
  }
  return { total, parts, all };
}

export function featuresOf(film: Film): Float32Array {
  return Float32Array.from(numbersOf(film));
}
