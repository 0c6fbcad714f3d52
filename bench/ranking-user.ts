// A simulated user with hidden tastes in films, who reads a list from the top and clicks by these tastes.
//
// The user must not follow the learner's own model, or the result would be too good. So it differs from what the learner assumes:
// - Tastes are drawn at random, since no click data of real users was available. Genres count most, then a few directors and the
//   year of the film. Real tastes are richer, and not normally distributed.
// - The taste for a period is a peak around one year, while the learner only knows decades. Quality (the true rating, not the
//   model's) counts a little, and every film has a part that no trait explains. So no weights of the learner equal the user.
// - The decay of attention with the position differs between users; the learner assumes one decay for all.
// - A click needs a look and a liking; in addition 3 of 100 looks end in a click at random.
// The learner's settings were chosen by hand on a few seeds from 1,000; the benchmark's users have the seeds 1 to 200.
import type { FilmItem } from "../models/ranker/catalogue.js";
import { normalOf } from "../src/page/lazy/ranking/posterior.js";
import { seeded } from "../test/support/ports.js";

export interface User {
  /** How much each film is liked, in standard deviations from this user's mean. */
  likes: Float64Array;
  /** Probability that the position is looked at. */
  looks(position: number): number;
  /** Draws whether a film that is looked at is clicked. */
  clicks(index: number): boolean;
  random: () => number;
}

const GENRE = 1;
// Of about 300 directors with at least three films, this many are liked and as many disliked.
const LIKED_DIRECTORS = 8;
const DIRECTOR = 1.5;
const YEAR = 1;
const YEAR_WIDTH = 10;
const QUALITY = 0.3;
const OWN = 0.3;
const NOISE = 0.03;
// A film one standard deviation above the mean is clicked with probability 0.5, one at the mean with 0.12.
const CLICKED_AT = 1;
const SHARPNESS = 2;

export function createUser(films: FilmItem[], seed: number): User {
  const random = seeded(seed * 7919);
  const fall = 0.5 + random();
  const likes = drawTastes(films, random);
  return {
    likes,
    random,
    looks: (position) => (1 + position) ** -fall,
    clicks(index) {
      const liked = 1 / (1 + Math.exp(-SHARPNESS * ((likes[index] as number) - CLICKED_AT)));
      return random() < NOISE + (1 - 2 * NOISE) * liked;
    },
  };
}

/** Gives the user new tastes. */
export function changeTastes(user: User, films: FilmItem[]): void {
  user.likes.set(drawTastes(films, user.random));
}

function drawTastes(films: FilmItem[], random: () => number): Float64Array {
  const normal = normalOf(random);
  const genres = new Map<string, number>();
  const directors = drawDirectors(films, random);
  const favourite = films[Math.floor(random() * films.length)]?.year ?? 2000;
  const rated = films.flatMap(({ rating }) => (rating === null ? [] : [rating]));
  const mean = rated.reduce((sum, rating) => sum + rating, 0) / rated.length;
  const raw = films.map(({ traits, year, rating }) => {
    let liking = OWN * normal() + (rating === null ? 0 : QUALITY * (rating - mean));
    for (const trait of traits) {
      if (trait.startsWith("genre:")) {
        if (!genres.has(trait)) genres.set(trait, GENRE * normal());
        liking += genres.get(trait) as number;
      }
      liking += directors.get(trait) ?? 0;
    }
    if (year !== null) liking += YEAR * Math.exp(-(((year - favourite) / YEAR_WIDTH) ** 2) / 2);
    return liking;
  });
  const middle = raw.reduce((sum, liking) => sum + liking, 0) / raw.length;
  const spread = Math.sqrt(raw.reduce((sum, liking) => sum + (liking - middle) ** 2, 0) / raw.length);
  return Float64Array.from(raw, (liking) => (liking - middle) / spread);
}

function drawDirectors(films: FilmItem[], random: () => number): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { traits } of films) {
    for (const trait of traits) if (trait.startsWith("director:")) counts.set(trait, (counts.get(trait) ?? 0) + 1);
  }
  const known = [...counts].filter(([, count]) => count >= 3).map(([trait]) => trait);
  const drawn = new Map<string, number>();
  while (drawn.size < 2 * LIKED_DIRECTORS) {
    const trait = known[Math.floor(random() * known.length)] as string;
    if (!drawn.has(trait)) drawn.set(trait, drawn.size < LIKED_DIRECTORS ? DIRECTOR : -DIRECTOR);
  }
  return drawn;
}

/**
 * Normalized discounted cumulative gain of the first ten (Järvelin and Kekäläinen 2002). The gain of a film is its liking in standard
 * deviations above the user's mean, and 0 below it. 1 means the ten most liked films of the catalogue in their order. Films that were
 * clicked before count like all others.
 */
export function ndcg(order: ArrayLike<number>, likes: Float64Array): number {
  const dcg = (gains: number[]) =>
    gains.reduce((sum, gain, place) => sum + Math.max(0, gain) / Math.log2(place + 2), 0);
  const found = Array.from({ length: 10 }, (_, place) => likes[order[place] as number] as number);
  const best = [...likes].sort((a, b) => b - a).slice(0, 10);
  return dcg(found) / dcg(best);
}
