// Tests the ranker package: its held-out error is that of its manifest, and no film's rating leaks into its features.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { catalogue } from "../../../models/ranker/catalogue.js";
import { foldOf, isHeldOut, readFilms } from "../../../models/ranker/data.js";
import { featuresOf } from "../../../models/ranker/features.js";
import { predictWith } from "../../../models/ranker/measure.js";
import type { Manifest } from "../../../src/shared/types/manifest.js";

const folder = fileURLToPath(new URL("../../../models/ranker/package/", import.meta.url));
const manifest = JSON.parse(readFileSync(`${folder}insitu.json`, "utf8")) as Manifest;

test("the package predicts held-out films as well as its manifest states", async () => {
  const films = readFilms().filter((film) => isHeldOut(film) && film.rating !== null);
  const scores = await predictWith(`${folder}model.json`, films.map(featuresOf));
  const squares = films.map(({ rating }, index) => ((scores[index] as number) - (rating as number)) ** 2);
  const rmse = Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / films.length);
  expect(films.length).toBe(manifest.metrics?.heldOutFilms);
  expect(rmse).toBeCloseTo(manifest.metrics?.heldOutRmse as number, 3);
  expect(rmse).toBeLessThan(0.7 * (manifest.metrics?.meanRmse as number));
});

test("no film's rating is in its own features, and no held-out film's rating is in any features", () => {
  const films = readFilms();
  const training = films.filter((film) => !isHeldOut(film) && film.rating !== null);
  const mean = training.reduce((sum, { rating }) => sum + (rating as number), 0) / training.length;
  for (const film of films) {
    if (film.director === null) continue;
    const seen = training.filter(
      (other) => other.director === film.director && (isHeldOut(film) || foldOf(other, 5) !== foldOf(film, 5)),
    );
    expect(seen).not.toContain(film);
    const sum = seen.reduce((all, { rating }) => all + (rating as number) - mean, 0);
    const [figure, count] = featuresOf(film).slice(-3);
    expect(figure).toBeCloseTo(sum / (seen.length + 3), 5);
    expect(count).toBeCloseTo(Math.log1p(seen.length), 5);
  }
  // Whatever a film's own rating is, its features are the same.
  for (const film of films.slice(0, 500)) expect(featuresOf({ ...film, rating: 10 })).toEqual(featuresOf(film));
});

test("errors of the file are corrected", () => {
  const films = new Map(readFilms().map((film) => [film.id, film]));
  expect(films.size).toBe(3200);
  expect(films.get("Gone with the Wind (1939)")?.year).toBe(1939);
  expect([...films.values()].filter(({ title }) => /^\d+$/.test(title)).map(({ title }) => title)).toEqual(
    expect.arrayContaining(["300", "54", "21", "2012", "1776"]),
  );
  for (const { year, title } of films.values()) {
    expect(typeof title).toBe("string");
    if (year !== null) expect(year >= 1910 && year <= 2012).toBe(true);
  }
});

test("the catalogue's items match the model's input and have traits", () => {
  const items = catalogue();
  expect(new Set(items.map(({ id }) => id)).size).toBe(items.length);
  const width = manifest.inputs[0]?.shape[1];
  for (const { features } of items) {
    expect(features.length).toBe(width);
    expect(features.every(Number.isFinite)).toBe(true);
  }
  expect(items.find(({ title }) => title === "Jaws")?.traits).toEqual(
    expect.arrayContaining(["genre:Horror", "director:Steven Spielberg", "decade:1970"]),
  );
});
