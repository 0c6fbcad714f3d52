// Learns from events: which weights an event is evidence for, in which direction, and how strongly.
import { checkNumber, checkType } from "../../lib/check-option.js";
import type { EventRow } from "./event-log.js";
import { createPosterior, observe, type Posterior, type Prior, predict, relax, type Term } from "./posterior.js";
import type { RankingOptions } from "./types.js";

/** The weights that do not belong to a trait; no trait begins with a line break. */
export const READINESS = "\nreadiness";
export const BASE = "\nbase";

/** What was learned from events, and the lists that are still shown. */
export interface LearnedEvents {
  posterior: Posterior;
  /** Epoch milliseconds up to which tastes were decayed. */
  time: number;
  /** By page. */
  lists: Map<string, ShownList>;
}

interface ShownList {
  /** Items that were shown and not acted on yet. */
  open: Map<string, EventRow>;
  /** Whether an item was clicked or dismissed: the next item that is shown begins another list. */
  acted: boolean;
  /** Id of the row that ended the list before; it must do so again when the events are replayed. */
  first?: string;
}

export interface EventModel {
  /** Share of a deviation from the prior that is left after a day. */
  keptPerDay: number;
  /** Share of a deviation from the prior that is left after a click or dismissal. */
  keptPerAction: number;
  /** Probability that a position is looked at. */
  examination(position: number): number;
}

const DAY_MS = 24 * 3600 * 1000;

const DEFAULTS = {
  halfLife: 60 * DAY_MS,
  // By the simulation of bench/ranking.ts on other seeds: with 60 a lasting taste is known a little better, and an old one lasts longer.
  halfLifeActions: 30,
  minItems: 3,
  // As in the simulations of Joachims et al. 2017, "Unbiased Learning-to-Rank with Biased Feedback".
  examination: (position: number) => 1 / (1 + position),
};

/** Throws `input_invalid` that names the option. */
export function eventModelOf(options: RankingOptions): EventModel {
  const { halfLife, halfLifeActions, minItems, examination } = { ...DEFAULTS, ...options };
  for (const [name, value] of Object.entries({ halfLife, halfLifeActions, minItems }))
    checkNumber(name, value ?? null, true);
  checkType("examination", examination ?? 0, "function");
  return {
    keptPerDay: 2 ** (-DAY_MS / halfLife),
    keptPerAction: 2 ** (-1 / halfLifeActions),
    // NaN counts as 0.
    examination: (position) => Math.min(1, Math.max(0, examination(position) || 0)),
  };
}

// A shorter decay changes nothing, and costs as much as an event.
const MIN_DECAY_DAYS = 1 / (24 * 60);

// One in twenty items that are looked at is clicked, until this user's clicks say otherwise.
const READINESS_PRIOR: Prior = { mean: -3, variance: 1 };
// The base order holds until clicks say otherwise; a standard deviation of a half lets a few dozen of them do so.
const BASE_PRIOR: Prior = { mean: 1, variance: 0.25 };
// A taste of one deviation makes the odds of a click 2.7 times as high, as a better base score of one deviation does.
const TRAIT_PRIOR: Prior = { mean: 0, variance: 1 };

// A dismissal is a decision; passing over is not.
const DISMISSED_WEIGHT = 2;
// Half the weight of a click at 30 s, the usual threshold for a satisfied click (Fox et al. 2005; Kim et al. 2014).
const DWELL_HALF_MS = 30_000;
// Closer to 0 or 1 the tangent of the logistic curve makes too long a step.
const MIN_PROBABILITY = 0.02;

export const priorOf = (name: string): Prior =>
  name === READINESS ? READINESS_PRIOR : name === BASE ? BASE_PRIOR : TRAIT_PRIOR;

export function createEventModel(): LearnedEvents {
  return { posterior: createPosterior(priorOf), time: 0, lists: new Map() };
}

/** The terms whose sum is the log-odds of a click. */
function termsOf({ base, traits }: Pick<EventRow, "base" | "traits">): Term[] {
  return [{ name: READINESS, factor: 1 }, { name: BASE, factor: base }, ...traits.map((name) => ({ name, factor: 1 }))];
}

/**
 * Learns from one event. Returns the ids of rows that will never be evidence: items that were shown again before anything was clicked. An item
 * that was shown counts as passed over only when its page shows another list after an item of this one was clicked or dismissed. So showing the
 * same list again changes nothing, and an item that is clicked second was not passed over before.
 */
export function learn(learned: LearnedEvents, row: EventRow, model: EventModel): string[] {
  elapse(learned, row.time, model);
  const list: ShownList = learned.lists.get(row.visit) ?? { open: new Map(), acted: false };
  learned.lists.set(row.visit, list);
  const before = list.open.get(row.item);
  const useless = before && before.id !== list.first ? [before.id] : [];
  switch (row.kind) {
    case "shown": {
      if (!list.acted) {
        // To the end, where a replay puts it.
        list.open.delete(row.item);
        list.open.set(row.item, row);
        return useless;
      }
      settle(learned, row.visit, model);
      learned.lists.set(row.visit, { open: new Map([[row.item, row]]), acted: false, first: row.id });
      return [];
    }
    case "clicked":
    case "dismissed":
      list.acted = true;
      relax(learned.posterior, model.keptPerAction);
      weigh(learned.posterior, row, row.kind === "clicked" ? 1 : 0, row.kind === "clicked" ? 1 : DISMISSED_WEIGHT);
      break;
    case "dwelled": {
      const ms = row.ms ?? 0;
      weigh(learned.posterior, row, 1, ms / (ms + DWELL_HALF_MS));
      break;
    }
    default:
      return row.kind satisfies never;
  }
  // Acted on: it cannot be passed over any longer.
  list.open.delete(row.item);
  return useless;
}

/** Counts the items that a page showed and that were not acted on as passed over. */
export function settle(learned: LearnedEvents, visit: string, { examination }: EventModel): void {
  const list = learned.lists.get(visit);
  learned.lists.delete(visit);
  for (const row of list?.open.values() ?? []) {
    const probability = clickProbability(learned.posterior, termsOf(row));
    weigh(learned.posterior, row, 0, examinationOf(examination(row.position), probability));
  }
}

/** Decays tastes up to `time`. */
export function elapse(learned: LearnedEvents, time: number, { keptPerDay }: EventModel): void {
  const days = (time - learned.time) / DAY_MS;
  if (learned.time > 0 && days < MIN_DECAY_DAYS) return;
  if (learned.time > 0) relax(learned.posterior, keptPerDay ** days);
  learned.time = time;
}

/**
 * Probability that an item without a click was looked at. By the position-based model (Richardson et al. 2007; Craswell et al. 2008) a click needs
 * both examination, which depends on the position, and appeal, which depends on the item; the rest is Bayes' rule, as in the expectation step
 * of Wang et al. 2018, "Position Bias Estimation for Unbiased Learning to Rank in Personal Search".
 */
export function examinationOf(examined: number, appeal: number): number {
  return (examined * (1 - appeal)) / (1 - examined * appeal);
}

/** Probability of a click once looked at, averaged over the posterior of the weights (MacKay 1992). */
function clickProbability(posterior: Posterior, terms: Term[]): number {
  const { mean, variance } = predict(posterior, terms);
  const probability = 1 / (1 + Math.exp(-mean / Math.sqrt(1 + (Math.PI * variance) / 8)));
  return Math.min(1 - MIN_PROBABILITY, Math.max(MIN_PROBABILITY, probability));
}

/**
 * A click or its absence as a linear observation: the tangent of the logistic curve at the current estimate turns it into a measured log-odds
 * with noise, as in the extended Kalman filter for logistic regression (Penny & Roberts 1999, "Dynamic logistic regression"). A weight under 1
 * makes the evidence count less, over 1 more.
 */
function weigh(posterior: Posterior, row: EventRow, target: 0 | 1, weight: number): void {
  if (weight <= 0) return;
  const terms = termsOf(row);
  const probability = clickProbability(posterior, terms);
  const slope = probability * (1 - probability);
  const { mean } = predict(posterior, terms);
  observe(posterior, { terms, value: mean + (target - probability) / slope, variance: 1 / (weight * slope) });
}
