// A simulated user: hidden tastes in films, and clicks by them on a list that is looked at from the top.
//
// Why this user is as it is. The learner must not be shown a mirror, so the user differs from it in what the learner assumes:
// - Tastes are drawn, not learned from anybody: no data of real users' clicks on films was at hand. Genres count most, a handful of directors much,
//   and the time a film is of; real tastes are richer, and surely not drawn from a normal distribution.
// - The liking of a time is a bump around one year, where the learner knows decades alone. Quality (the true rating, not the model's) counts a
//   little, and every film has a part that no trait explains. So no setting of the learner's weights is the user.
// - How fast attention falls with the place differs from user to user; the learner assumes one fall for all.
// - A click takes a look and a liking, and 3 in 100 looks click on anything.
// The learner's settings were chosen on seeds from 1,000 on, by hand and few; the users of the benchmark are those of the seeds 1 to 200.
import type { FilmItem } from "../models/ranker/catalogue.js";
import { normalOf } from "../src/page/lazy/ranking/posterior.js";
import { seeded } from "../test/support/ports.js";

export interface User {
  /** How much each film is liked, in deviations from the mean film of this user. */
  likes: Float64Array;
  /** Chance that the place is looked at. */
  looks(position: number): number;
  /** Whether a film that was looked at is clicked. */
  clicks(index: number): boolean;
  random: () => number;
}

const GENRE = 1;
// Of some 300 directors of at least three films, so many are loved and as many not.
const LOVED_DIRECTORS = 8;
const DIRECTOR = 1.5;
const YEAR = 1;
const YEAR_WIDTH = 10;
const QUALITY = 0.3;
const OWN = 0.3;
const NOISE = 0.03;
// A film one deviation above this user's mean is clicked every other time, one at the mean 12 times of 100.
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

/** The same person with other tastes. */
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
  while (drawn.size < 2 * LOVED_DIRECTORS) {
    const trait = known[Math.floor(random() * known.length)] as string;
    if (!drawn.has(trait)) drawn.set(trait, drawn.size < LOVED_DIRECTORS ? DIRECTOR : -DIRECTOR);
  }
  return drawn;
}

/**
 * Normalised discounted cumulative gain of the first ten (Jarvelin and Kekalainen 2002). The gain of a film is how many deviations it is liked above this
 * user's mean film, and nothing below it; 1 is the ten most liked films of the whole catalogue in their order. Films that were clicked before count
 * like all others, in every order alike.
 */
export function ndcg(order: ArrayLike<number>, likes: Float64Array): number {
  const dcg = (gains: number[]) =>
    gains.reduce((sum, gain, place) => sum + Math.max(0, gain) / Math.log2(place + 2), 0);
  const found = Array.from({ length: 10 }, (_, place) => likes[order[place] as number] as number);
  const best = [...likes].sort((a, b) => b - a).slice(0, 10);
  return dcg(found) / dcg(best);
}
