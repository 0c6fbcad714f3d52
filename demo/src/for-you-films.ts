// Loads the film catalogue and describes films in words.
import type { RankingItem } from "insitu";

export interface Film extends RankingItem {
  title: string;
  year: number | null;
  rating: number | null;
}

export async function loadFilms(): Promise<Film[]> {
  const [rows, numbers] = await Promise.all([get("/films/catalogue.json"), get("/films/features.f32")]);
  const films = (await rows.json()) as Omit<Film, "features">[];
  const features = new Float32Array(await numbers.arrayBuffer());
  const width = features.length / films.length;
  return films.map((film, index) => ({ ...film, features: features.subarray(index * width, (index + 1) * width) }));
}

async function get(url: string): Promise<Response> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`The films could not be loaded: HTTP ${response.status} for ${url}.`);
  return response;
}

export const traitOf = ({ traits }: RankingItem, kind: string): string | undefined =>
  traits.find((trait) => trait.startsWith(`${kind}:`))?.slice(kind.length + 1);

/** `Horror`, `films of the 1990s`, `Based on Book/Short Story`. */
export function traitInWords(trait: string): string {
  const at = trait.indexOf(":");
  const [kind, value] = [trait.slice(0, at), trait.slice(at + 1)];
  if (kind === "decade") return `films of the ${value}s`;
  if (kind === "mpaa") return value === "Not Rated" ? "not rated" : `rated ${value}`;
  if (kind === "director") return `directed by ${value}`;
  return value;
}

/** The line below the title of a card. */
export function factsOf(film: Film): string {
  const director = traitOf(film, "director");
  const facts = [film.year === null ? undefined : String(film.year), traitOf(film, "genre"), director];
  return facts.filter((fact) => fact !== undefined).join(" · ");
}

// Each genre has a colour, dark enough for white text. Other films are grey.
const GENRES = [
  "Action",
  "Adventure",
  "Western",
  "Comedy",
  "Black Comedy",
  "Documentary",
  "Concert/Performance",
  "Drama",
  "Thriller/Suspense",
  "Musical",
  "Romantic Comedy",
  "Horror",
];

export function colourOf(film: Film): string {
  const at = GENRES.indexOf(traitOf(film, "genre") ?? "");
  return at < 0 ? "hsl(200 6% 28%)" : `hsl(${Math.round((at * 360) / GENRES.length)} 48% 25%)`;
}
