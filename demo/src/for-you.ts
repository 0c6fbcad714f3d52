// Wires the page For you: the ranker to its two lists, the opened film, the tastes, and what keeps or forgets them.
import { createClient, type PersonalRanker } from "insitu";
import { readConfig } from "./config.js";
import { byId, make } from "./dom.js";
import { hideFailure, showFailure } from "./failures.js";
import { type Action, card, line, type Shown } from "./for-you-cards.js";
import { type Film, factsOf, loadFilms, traitOf } from "./for-you-films.js";
import { clearSeen, readSeen, see } from "./for-you-seen.js";
import { showTastes } from "./for-you-tastes.js";
import { keepForOffline } from "./offline.js";
import { hideProgress, say, showProgress } from "./status.js";

// A screen or two; what lies below is hardly looked at.
const SHOWN = 12;

const genre = byId("genre", HTMLSelectElement);
const explore = byId("explore", HTMLSelectElement);
const opened = byId("opened", HTMLElement);
const mine = byId("mine", HTMLElement);

let films: Film[] = [];
let ranker: PersonalRanker;
/** Place from 1 of each film in the order of the base model, by index. */
let before: Int32Array;
let watching: { film: Film; position: number; since: number } | undefined;

/** Tells a failure, and goes on: the list stays as it is. */
const guarded = (work: () => Promise<unknown>) => void work().then(hideFailure, showFailure);

function isWanted(film: Film): boolean {
  return (genre.value === "" || traitOf(film, "genre") === genre.value) && !readSeen().has(film.id);
}

const refresh = () => showTastes(ranker);

/** Both lists anew; what is now in sight is told to the ranker. */
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
  // In a list that was asked for by genre, what is passed over says nothing against the genre.
  if (genre.value !== "") {
    refresh();
    return;
  }
  guarded(() =>
    ranker.recordEvents(found.map(({ film }, position) => ({ kind: "shown", item: film.id, position }))).then(refresh),
  );
}

function act({ film }: Shown, position: number, action: Action): void {
  leave();
  see(film.id);
  guarded(() => ranker.recordEvents({ kind: action, item: film.id, position }));
  if (action === "clicked") open(film, position);
  show();
  // The card is gone; whoever works by keyboard goes on at the same place, with the same button.
  const next = mine.children[Math.min(position, mine.children.length - 1)];
  next?.querySelector<HTMLElement>(`[data-action="${action}"]`)?.focus({ preventScroll: true });
  const first = mine.querySelector("h4")?.textContent ?? "none";
  say(
    `${action === "clicked" ? "You watch" : "Sent away:"} ${film.title}. The list is in a new order; first is ${first}.`,
  );
}

function open(film: Film, position: number): void {
  watching = { film, position, since: performance.now() };
  const close = make("button", "button", "Close");
  close.type = "button";
  close.addEventListener("click", () => {
    leave();
    mine.querySelector<HTMLElement>("button")?.focus();
  });
  const rating = film.rating === null ? "" : ` IMDB's users gave it ${film.rating.toFixed(1)}.`;
  const words = make("p", "", make("strong", "", film.title), ` ${factsOf(film)}.${rating}`);
  opened.replaceChildren(words, make("p", "hint", "The longer it stays open, the more it counts."), close);
  opened.hidden = false;
}

/** Ends the look at the opened film, which says how much it was liked. */
function leave(): void {
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
    say("The list is in a new order.");
  });
  byId("forget", HTMLElement).addEventListener("click", () => {
    watching = undefined;
    opened.hidden = true;
    clearSeen();
    guarded(async () => {
      await ranker.forget();
      show();
      say("All that was learned is removed from this device.");
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
      say(`${events} events were added; ${known} were here already.`);
    });
  });
  addEventListener("pagehide", leave);
}

async function save(): Promise<void> {
  const link = make("a");
  link.href = URL.createObjectURL(await ranker.export());
  link.download = "for-you.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  say("What was learned is in the file for-you.json.");
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
  say(`${films.length} films. Choose what you would watch, and the list follows.`);
}

keepForOffline();
start().catch((error: unknown) => {
  hideProgress();
  say("The page could not start.");
  showFailure(error);
});
