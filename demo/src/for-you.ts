// Starts the page For you: connects the ranker to the two lists, the opened film and the tastes.
import { createClient, type PersonalRanker } from "insitu";
import { readConfig } from "./config.js";
import { byId, make } from "./dom.js";
import { hideFailure, showFailure } from "./failures.js";
import { type Action, card, line, type Shown } from "./for-you-cards.js";
import { type Film, factsOf, loadFilms, traitOf } from "./for-you-films.js";
import { clearSeen, markSeen, readSeen } from "./for-you-seen.js";
import { showTastes } from "./for-you-tastes.js";
import { keepForOffline } from "./offline.js";
import { hideProgress, say, showProgress } from "./status.js";

// One or two screens of films; few visitors scroll further.
const SHOWN = 12;

const genre = byId("genre", HTMLSelectElement);
const explore = byId("explore", HTMLSelectElement);
const opened = byId("opened", HTMLElement);
const mine = byId("mine", HTMLElement);

let films: Film[] = [];
let ranker: PersonalRanker;
/** Position from 1 of each film in the base model's order, by the film's index. */
let before: Int32Array;
let watching: { film: Film; position: number; since: number } | undefined;

/** Shows a failure; the list stays unchanged. */
const guarded = (work: () => Promise<unknown>) => void work().then(hideFailure, showFailure);

function isWanted(film: Film): boolean {
  return (genre.value === "" || traitOf(film, "genre") === genre.value) && !readSeen().has(film.id);
}

const refresh = async () => showTastes(ranker);

/** Renders both lists and records which films are shown. */
function show(): void {
  const mode = explore.value as "none" | "thompson" | "ucb";
  const found: Shown[] = [];
  for (const ranked of ranker.rank({ explore: mode })) {
    const film = films[ranked.index] as Film;
    if (isWanted(film)) found.push({ ranked, film, before: before[ranked.index] as number });
    if (found.length === SHOWN) break;
  }
  const plain = films
    .map((film, index) => ({ film, place: before[index] as number }))
    .filter(({ film }) => isWanted(film))
    .sort((a, b) => a.place - b.place)
    .slice(0, SHOWN);
  mine.replaceChildren(...found.map((shown, at) => card(shown, at + 1, (action) => act(shown, at, action))));
  byId("plain", HTMLElement).replaceChildren(...plain.map(({ film }) => line({ film } as Shown)));
  // In a list filtered by genre, ignoring a film says nothing about the genre, so nothing is recorded.
  if (genre.value !== "") {
    guarded(refresh);
    return;
  }
  guarded(() =>
    ranker.recordEvents(found.map(({ film }, position) => ({ kind: "shown", item: film.id, position }))).then(refresh),
  );
}

function act({ film }: Shown, position: number, action: Action): void {
  closeFilm();
  markSeen(film.id);
  guarded(() => ranker.recordEvents({ kind: action, item: film.id, position }));
  if (action === "clicked") open(film, position);
  show();
  // The card was removed; the focus moves to the same button of the card that took its position.
  const next = mine.children[Math.min(position, mine.children.length - 1)];
  next?.querySelector<HTMLElement>(`[data-action="${action}"]`)?.focus({ preventScroll: true });
  const first = mine.querySelector("h4")?.textContent ?? "none";
  say(`${action === "clicked" ? "You watch" : "Removed:"} ${film.title}. The list was reordered. First is ${first}.`);
}

function open(film: Film, position: number): void {
  watching = { film, position, since: performance.now() };
  const close = make("button", "button", "Close");
  close.type = "button";
  close.addEventListener("click", () => {
    closeFilm();
    mine.querySelector<HTMLElement>("button")?.focus();
  });
  const rating = film.rating === null ? "" : ` IMDB users rated it ${film.rating.toFixed(1)}.`;
  const words = make("p", "", make("strong", "", film.title), ` ${factsOf(film)}.${rating}`);
  opened.replaceChildren(words, make("p", "hint", "The longer it stays open, the stronger the signal."), close);
  opened.hidden = false;
}

/** Closes the opened film and records how long it was open, a sign of how much it was liked. */
function closeFilm(): void {
  opened.hidden = true;
  if (!watching) return;
  const { film, position, since } = watching;
  watching = undefined;
  guarded(() =>
    ranker
      .recordEvents({ kind: "dwelled", item: film.id, position, durationMs: performance.now() - since })
      .then(refresh),
  );
}

function connect(): void {
  const genres = [...new Set(films.flatMap((film) => traitOf(film, "genre") ?? []))].sort();
  for (const name of genres) genre.append(new Option(name));
  genre.addEventListener("change", () => {
    show();
    say(`Showing ${genre.value === "" ? "all films" : genre.value}.`);
  });
  explore.addEventListener("change", () => {
    show();
    say("The list was reordered.");
  });
  byId("forget", HTMLElement).addEventListener("click", () => {
    watching = undefined;
    opened.hidden = true;
    clearSeen();
    guarded(async () => {
      await ranker.forget();
      show();
      say("Everything that was learned was deleted from this device.");
    });
  });
  byId("export", HTMLElement).addEventListener("click", () => guarded(save));
  const file = byId("import", HTMLInputElement);
  file.addEventListener("change", () => {
    const [chosen] = file.files ?? [];
    file.value = "";
    if (!chosen) return;
    guarded(async () => {
      const { events, known } = await ranker.import(chosen);
      show();
      say(`${events} events were added; ${known} already existed.`);
    });
  });
  addEventListener("pagehide", closeFilm);
}

async function save(): Promise<void> {
  const link = make("a");
  link.href = URL.createObjectURL(await ranker.export());
  link.download = "for-you.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  say("Exported to the file for-you.json.");
}

async function start(): Promise<void> {
  const { collector } = await readConfig();
  const client = createClient({
    assets: { wasm: "/insitu/wasm/" },
    ...(collector && { telemetry: { endpoint: collector, service: { name: "insitu-demo", version: __VERSION__ } } }),
  });
  say("Loading the films.");
  const loading = client.load("/models/ranker/", {
    task: "ranking",
    onProgress: (progress) => showProgress("ranker", progress),
  });
  films = await loadFilms();
  const model = await loading;
  ranker = await model.personalize("films");
  await ranker.setItems(films);
  const base = ranker.rank();
  before = new Int32Array(films.length);
  for (const [at, { index }] of base.toSorted((a, b) => b.base - a.base).entries()) before[index] = at + 1;
  hideProgress();
  connect();
  show();
  say(`${films.length} films. Choose one to watch, and the list adapts.`);
}

keepForOffline();
start().catch((error: unknown) => {
  hideProgress();
  say("The page could not start.");
  showFailure(error);
});
