// What an event says of a user's tastes: which of them it is evidence for, which way, and how much.

import type { EventRow } from "./event-log.js";
import { createPosterior, observe, type Posterior, type Prior, predict, relax, type Term } from "./posterior.js";
import type { Refuse } from "./refuse.js";
import type { RankingOptions } from "./types.js";

/** Weights that are no traits; a trait's name has no line break before it. */
export const READINESS = "\nreadiness";
export const BASE = "\nbase";

/** Evidence for one weight after the other, and what is still open of each page's list. */
export interface LearnedEvent {
  posterior: Posterior;
  /** Milliseconds since 1970, up to which time has passed for the tastes. */
  time: number;
  lists: Map<string, ShownList>;
}

interface ShownList {
  /** What was shown and not yet decided on, by item. */
  open: Map<string, EventRow>;
  /** Whether something of it was clicked or dismissed: what comes next is another list. */
  acted: boolean;
  /** The row that ended the list before, and must do so again when the log is replayed. */
  first?: string;
}

export interface EventModel {
  /** Share of a deviation from the prior that is left after a day, and after a click or dismissal. */
  keptPerDay: number;
  keptPerAction: number;
  examination(position: number): number;
}

const DAY_MS = 24 * 3600 * 1000;

const DEFAULTS = {
  halfLife: 60 * DAY_MS,
  // By the simulation of bench/ranking.ts on other seeds: 60 knows a lasting taste a little better, and an old one lingers for longer.
  halfLifeActions: 30,
  // As in the simulations of Joachims et al. 2017, "Unbiased Learning-to-Rank with Biased Feedback".
  examination: (position: number) => 1 / (1 + position),
};

/** Throws `input_invalid` for half-lives that are none. */
export function eventModelOf(options: RankingOptions, refuse: Refuse): EventModel {
  const { halfLife, halfLifeActions, examination } = { ...DEFAULTS, ...options };
  if (!(halfLife > 0) || !(halfLifeActions > 0)) {
    const message = `halfLife is ${halfLife} and halfLifeActions is ${halfLifeActions}; pass numbers over 0 (milliseconds and actions).`;
    refuse("input_invalid", message, { halfLife, halfLifeActions });
  }
  return {
    keptPerDay: 2 ** (-DAY_MS / halfLife),
    keptPerAction: 2 ** (-1 / halfLifeActions),
    // What is no number is no look.
    examination: (position) => Math.min(1, Math.max(0, examination(position) || 0)),
  };
}

// A minute changes nothing, and costs as much as an event.
const STEP_DAYS = 1 / (24 * 60);

// One in twenty is clicked once looked at, until this user says otherwise.
const READY: Prior = { mean: -3, variance: 1 };
// The base order holds until clicks say otherwise; half a deviation of doubt lets a few dozen of them do so.
const TRUSTED: Prior = { mean: 1, variance: 0.25 };
// A taste of one deviation makes the odds of a click 2.7 times as high, as a better base score of one deviation does.
const TASTE: Prior = { mean: 0, variance: 1 };

// To send something away takes a decision of its own, where passing over takes none.
const DISMISSED_WEIGHT = 2;
// Half the weight of a click at 30 s, the usual mark of a click that satisfied (Fox et al. 2005; Kim et al. 2014).
const DWELL_HALF_MS = 30_000;
// Beyond this a linear step from the curve's tangent is too long.
const LEAST_CHANCE = 0.02;

export const priorOf = (name: string): Prior => (name === READINESS ? READY : name === BASE ? TRUSTED : TASTE);

export function createEventModel(): LearnedEvent {
  return { posterior: createPosterior(priorOf), time: 0, lists: new Map() };
}

/** What an item's chance of a click is the sum of. */
export function termsOf({ base, traits }: Pick<EventRow, "base" | "traits">): Term[] {
  return [{ name: READINESS, factor: 1 }, { name: BASE, factor: base }, ...traits.map((name) => ({ name, factor: 1 }))];
}

/**
 * Learns from one event, and answers the rows that will never be evidence (shown again before anything was done). What was shown waits: it
 * was passed over once its page shows another list after something of this one was clicked or dismissed. So looking again at the same list
 * says nothing, and what is clicked second was not passed over first.
 */
export function learn(learned: LearnedEvent, row: EventRow, learning: EventModel): string[] {
  elapse(learned, row.time, learning);
  const list: ShownList = learned.lists.get(row.visit) ?? { open: new Map(), acted: false };
  learned.lists.set(row.visit, list);
  const before = list.open.get(row.item);
  const useless = before && before.id !== list.first ? [before.id] : [];
  switch (row.kind) {
    case "shown": {
      if (!list.acted) {
        // To the end, where it will be when the log is replayed.
        list.open.delete(row.item);
        list.open.set(row.item, row);
        return useless;
      }
      settle(learned, row.visit, learning);
      learned.lists.set(row.visit, { open: new Map([[row.item, row]]), acted: false, first: row.id });
      return [];
    }
    case "clicked":
    case "dismissed":
      list.acted = true;
      relax(learned.posterior, learning.keptPerAction);
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
  // It was looked at, and said more than that.
  list.open.delete(row.item);
  return useless;
}

/** Counts what a page showed and did not get clicked as passed over. */
export function settle(learned: LearnedEvent, visit: string, { examination }: EventModel): void {
  const list = learned.lists.get(visit);
  learned.lists.delete(visit);
  for (const row of list?.open.values() ?? []) {
    const chance = chanceOf(learned.posterior, termsOf(row));
    weigh(learned.posterior, row, 0, examinationOf(examination(row.position), chance));
  }
}

/** Time passes for tastes also while nothing happens. */
export function elapse(learned: LearnedEvent, time: number, { keptPerDay }: EventModel): void {
  const days = (time - learned.time) / DAY_MS;
  if (learned.time > 0 && days < STEP_DAYS) return;
  if (learned.time > 0) relax(learned.posterior, keptPerDay ** days);
  learned.time = time;
}

/**
 * How likely it is that what was not clicked was looked at. By the position-based model (Richardson et al. 2007; Craswell et al. 2008) a
 * click takes both a look, which the place decides, and appeal, which the item does; the rest is Bayes' rule, as in the expectation step of
 * Wang et al. 2018, "Position Bias Estimation for Unbiased Learning to Rank in Personal Search".
 */
export function examinationOf(examined: number, appeal: number): number {
  return (examined * (1 - appeal)) / (1 - examined * appeal);
}

/** Chance of a click once looked at, over all that the weights may be (MacKay 1992). */
function chanceOf(posterior: Posterior, terms: Term[]): number {
  const { mean, variance } = predict(posterior, terms);
  const chance = 1 / (1 + Math.exp(-mean / Math.sqrt(1 + (Math.PI * variance) / 8)));
  return Math.min(1 - LEAST_CHANCE, Math.max(LEAST_CHANCE, chance));
}

/**
 * A yes or no as a linear observation: the tangent of the logistic curve at what is believed turns it into a measured log-odds with its
 * noise, as in the extended Kalman filter for logistic regression (Penny and Roberts 1999, "Dynamic logistic regression"). A weight under 1
 * is evidence that counts for less, over 1 for more.
 */
function weigh(posterior: Posterior, row: EventRow, answer: 0 | 1, weight: number): void {
  if (weight <= 0) return;
  const terms = termsOf(row);
  const chance = chanceOf(posterior, terms);
  const slope = chance * (1 - chance);
  const { mean } = predict(posterior, terms);
  observe(posterior, { terms, value: mean + (answer - chance) / slope, variance: 1 / (weight * slope) });
}
