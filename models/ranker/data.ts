// The films of the npm package vega-datasets, cleaned: titles are strings, years have their century, unknown values are null.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

export interface Film {
  /** Title and year, with a number added if that is not unique. */
  id: string;
  title: string;
  year: number | null;
  /** IMDB users' rating, 0 to 10; the model's target. */
  rating: number | null;
  votes: number | null;
  /** Percentage of critics who liked it, 0 to 100. */
  critics: number | null;
  /** Dollars. */
  budget: number | null;
  usGross: number | null;
  worldGross: number | null;
  minutes: number | null;
  mpaa: string | null;
  distributor: string | null;
  source: string | null;
  genre: string | null;
  creativeType: string | null;
  director: string | null;
}

type Row = Record<string, string | number | null>;

// The file is from 2010. A later year had two digits, and its century was guessed wrong.
const NEWEST_YEAR = 2012;
// Eight films have this wrong date: the Unix epoch in an American time zone.
const NO_DATE = "Dec 31 1969";

let films: Film[] | undefined;

/** All films with a title, in the file's order. */
export function readFilms(): Film[] {
  films ??= clean();
  return films;
}

function clean(): Film[] {
  // The package exports only its script, which is in the folder of the data.
  const build = dirname(createRequire(import.meta.url).resolve("vega-datasets"));
  const rows = JSON.parse(readFileSync(join(build, "..", "data", "movies.json"), "utf8")) as Row[];
  const ids = new Map<string, number>();
  return rows.flatMap((row) => {
    // "2012" and "300" are numbers in the file.
    const title = row.Title === null ? "" : String(row.Title).trim();
    if (title === "") return [];
    const year = yearOf(row["Release Date"]);
    const name = year === null ? title : `${title} (${year})`;
    const before = ids.get(name) ?? 0;
    ids.set(name, before + 1);
    const id = before === 0 ? name : `${name} ${before + 1}`;
    return [{ id, title, year, ...numbersOf(row), ...wordsOf(row) }];
  });
}

function numbersOf(row: Row) {
  const number = (name: string) => (typeof row[name] === "number" ? (row[name] as number) : null);
  // A gross of 0 means unknown.
  const money = (name: string) => number(name) || null;
  return {
    rating: number("IMDB Rating"),
    votes: number("IMDB Votes"),
    critics: number("Rotten Tomatoes Rating"),
    budget: money("Production Budget"),
    usGross: money("US Gross"),
    worldGross: money("Worldwide Gross"),
    minutes: number("Running Time min"),
  };
}

function wordsOf(row: Row) {
  const word = (name: string) => (typeof row[name] === "string" && row[name] !== "" ? (row[name] as string) : null);
  return {
    mpaa: word("MPAA Rating"),
    distributor: word("Distributor"),
    source: word("Source"),
    genre: word("Major Genre"),
    creativeType: word("Creative Type"),
    director: word("Director"),
  };
}

function yearOf(date: Row[string] | undefined): number | null {
  if (date === NO_DATE) return null;
  const year = Number(/(\d{4})$/.exec(String(date))?.[1]);
  if (!Number.isInteger(year)) return null;
  return year > NEWEST_YEAR ? year - 100 : year;
}

// A fifth of the films. Remakes with the same title are in the same part.
const SIDES = 5;

/** Whether the film is held out from training. */
export const isHeldOut = ({ title }: Film): boolean => hash(title) % SIDES === 0;

/** The film's fold out of `count`, for features that must not use the film's own rating. */
export const foldOf = ({ id }: Film, folds: number): number => hash(`fold ${id}`) % folds;

/** FNV-1a, 32 bits, followed by a bit mix, since its low bits alone are not random enough. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  return (value ^ (value >>> 13)) >>> 0;
}
