// The dashboard: asks for a report every few seconds and shows it, or says why it cannot.
import type { Report } from "../src/report-types.js";
import { createAccuracy } from "./accuracy.js";
import { fetchReport, type ReportResult } from "./ask.js";
import { createControls } from "./controls.js";
import { byId, make, write } from "./dom.js";
import { createEmpty, hiddenText } from "./empty.js";
import { isEmpty } from "./figures.js";
import { time } from "./format.js";
import { createLatency } from "./latency.js";
import { usePalette } from "./palette.js";
import { createRefresh } from "./refresh.js";
import { createOwn, createResources } from "./resources.js";
import { fetchRollouts } from "./rollout/ask-rollouts.js";
import { marksOf, NOTHING, type Rollouts } from "./rollout/data.js";
import { createDrift } from "./rollout/drift.js";
import { createRetraining } from "./rollout/retraining.js";
import { createRollout } from "./rollout/section.js";
import "./style.css";
import "./panels.css";
import { createTiles } from "./tiles.js";
import { createPrompt, keepToken, readToken } from "./token.js";
import { createTraffic } from "./traffic.js";
import { isFiltered, isLive, readView, type View, writeView } from "./view.js";

const status = byId("status", HTMLElement);
const alert = byId("alert", HTMLElement);
const pause = byId("pause", HTMLButtonElement);
const forget = byId("forget", HTMLButtonElement);
const content = byId("content", HTMLElement);

let view = readView(location.search);
let last: { report: Report; at: number } | null = null;
let rollouts: { asked: string; at: number; data: Rollouts } = { asked: "", at: 0, data: NOTHING };
let paused = false;
// Without a token there is no request until one is entered.
let locked = false;

const tiles = createTiles();
const sections = [
  createLatency(),
  createAccuracy(),
  createRollout(),
  createDrift(),
  createTraffic(),
  createResources(),
  createRetraining(),
  createOwn(),
];
const figures = make("div", "figures", tiles.element, ...sections.map(({ element }) => element));
const empty = createEmpty({
  widen: () => look({ ...view, range: "7d", from: null, to: null }),
  clear: () => look({ ...view, model: "", version: "", backend: "" }),
});
const prompt = createPrompt((token) => {
  keepToken(token);
  refresh.now();
});
const palette = usePalette(() => draw());
const controls = createControls(look);
const refresh = createRefresh(ask, () => !locked && isLive(view, Date.now()));

content.append(prompt.element, empty.element, figures);
for (const part of [prompt.element, empty.element, figures]) part.hidden = true;

/** The address follows, without a step in the history for each click. */
function look(next: View): void {
  view = next;
  history.replaceState(null, "", `${location.pathname}${writeView(view)}`);
  controls.show(view);
  content.setAttribute("aria-busy", "true");
  refresh.now();
}

async function ask(stop: AbortSignal): Promise<void> {
  const result = await fetchReport(view, readToken(), stop);
  if (result.kind === "report") await askRollouts(result.report, stop);
  if (stop.aborted) return;
  content.setAttribute("aria-busy", "false");
  take(result);
}

// Channels, decisions and drift change by the hour; the report's figures by the second.
const ROLLOUTS_EVERY_MS = 30_000;

/** Asked for before the report is drawn, so that nothing moves when it comes. */
async function askRollouts(report: Report, stop: AbortSignal): Promise<void> {
  const models = view.model ? [view.model] : report.models.map(({ name }) => name);
  const asked = JSON.stringify(models);
  if (asked === rollouts.asked && Date.now() - rollouts.at < ROLLOUTS_EVERY_MS) return;
  const data = await fetchRollouts(models, readToken(), stop);
  if (!stop.aborted) rollouts = { asked, at: Date.now(), data };
}

function take(result: ReportResult): void {
  forget.hidden = readToken() === null;
  locked = result.kind === "token";
  switch (result.kind) {
    case "report":
      last = { report: result.report, at: Date.now() };
      alert.hidden = true;
      controls.offer(result.report.models, view);
      draw();
      tell();
      break;
    case "token":
      // What was shown belongs to whoever had the token.
      last = null;
      rollouts = { asked: "", at: 0, data: NOTHING };
      alert.hidden = true;
      open(prompt.element);
      prompt.show(result.message);
      tell("waiting", "The read token is needed");
      break;
    case "failed":
      showFailure(result);
      tell("failed", last ? `Data of ${time(last.at)}` : "No response");
      break;
    default:
      result satisfies never;
  }
}

function showFailure({ message, advice }: { message: string; advice: string }): void {
  const again = isLive(view, Date.now()) && !paused ? "The page tries again every 5 seconds." : "";
  const old = last ? `What you see is of ${time(last.at)}.` : "";
  const text = [advice, again, old].filter(Boolean).join(" ");
  // Written anew only when it changed: a screen reader would say it every time.
  if (!alert.hidden && alert.textContent === message + text) return;
  alert.replaceChildren(make("strong", "", message), make("p", "", text));
  alert.hidden = false;
}

function draw(): void {
  if (!last) return;
  const { report } = last;
  const filtered = isFiltered(view);
  write(byId("hidden-cells", HTMLElement), hiddenText(report));
  if (isEmpty(report)) {
    open(empty.element);
    empty.show(report, filtered);
    return;
  }
  open(figures);
  const scene = { report, rollouts: rollouts.data, marks: marksOf(rollouts.data), palette: palette(), filtered };
  tiles.show(scene);
  for (const section of sections) section.show(scene);
}

function open(part: HTMLElement): void {
  for (const one of [prompt.element, empty.element, figures]) one.hidden = one !== part;
  content.dataset.shows = part === figures ? "figures" : part === empty.element ? "empty" : "token";
}

function tell(state?: "waiting" | "failed", text?: string): void {
  status.dataset.state = state ?? (paused ? "paused" : isLive(view, Date.now()) ? "live" : "fixed");
  const at = last ? time(last.at) : "";
  const usual = { live: `Live, ${at}`, paused: `Paused at ${at}`, fixed: `Fixed range, ${at}` };
  write(status, text ?? usual[status.dataset.state as keyof typeof usual]);
}

pause.addEventListener("click", () => {
  paused = !paused;
  write(pause, paused ? "Resume" : "Pause");
  if (paused && last) tell();
  refresh.pause(paused);
});
forget.addEventListener("click", () => {
  keepToken(null);
  refresh.now();
});
addEventListener("popstate", () => look(readView(location.search)));
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
write(byId("zone", HTMLElement), `Times are those of ${zone === "UTC" ? "UTC" : zone.replaceAll("_", " ")}.`);
controls.show(view);
refresh.now();
