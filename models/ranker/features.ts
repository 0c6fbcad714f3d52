// A film as the numbers that the base model reads; nothing of them is the film's own rating.
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
// Those of over 50 films; a rarer one is "other".
const SOURCES = [
  ...["Original Screenplay", "Based on Book/Short Story", "Based on Real Life Events", "Remake", "Based on TV"],
  ...["Based on Comic/Graphic Novel", "Based on Play"],
];
const DISTRIBUTORS = [
  ...["Warner Bros.", "Sony Pictures", "Paramount Pictures", "Universal", "Walt Disney Pictures", "20th Century Fox"],
  ...["MGM", "Miramax", "New Line", "Lionsgate", "Sony Pictures Classics", "Fox Searchlight"],
];

/** One of the list, another one, or not known. */
const oneOf = (list: string[], value: string | null) => [
  ...list.map((name) => Number(name === value)),
  Number(value !== null && !list.includes(value)),
  Number(value === null),
];

/** What is not known is 0, and said so by a number of its own. */
const known = (value: number | null, scaled: (value: number) => number) =>
  value === null ? [0, 1] : [scaled(value), 0];

/** In powers of ten from `middle` on: money and votes spread over six of them. */
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

// As many films as weigh as much as all directors together: a mean of one film says little of the next.
const SHRINK = 3;
const FOLDS = 5;

interface Work {
  sum: number;
  count: number;
}

let works: { total: Work; parts: Map<string, Work>[]; all: Map<string, Work> } | undefined;

/**
 * How the director's other films were rated, and how many there are (target encoding: Micci-Barreca 2001). A training film sees the training
 * films of the other folds alone, never its own rating or a sum that it is in; a held-out film sees all training films, as a new one would.
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
