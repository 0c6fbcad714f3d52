// Watches what the fleet's inputs, confidences and classes look like, against the reference profile or a version's first days.
import { busiestModels } from "../evidence/busiest.js";
import { HOUR_MS } from "../evidence/evidence.js";
import type { EvidenceSums, SeenCell } from "../evidence/rows.js";
import { effectiveSize, emptySpread, type Spread, spreadFromSums } from "../evidence/spread.js";
import { type Cell, cellKey, SUBJECTS, type SubjectName } from "../evidence/subjects.js";
import { sharesOf } from "../statistics/divergence.js";
import { holm } from "../statistics/holm.js";
import type { Store } from "../store.js";
import type { DriftReport } from "./drift-types.js";
import { distances, type Measured, MIN_VALUES, measure, type Reference } from "./measure.js";
import type { Profiles } from "./profiles.js";
import { shiftOf } from "./shift.js";
import { binsOf, registeredReference, targetOf } from "./targets.js";

export interface DriftDeps {
  store: Store;
  profiles: Profiles;
  now: () => number;
}

/** The current window, and the longer one of versions that few use. */
const WINDOW_MS = 24 * HOUR_MS;
const LONG_WINDOW_MS = 7 * WINDOW_MS;
/** How far back the start of a drift is looked for. */
const HISTORY_WINDOWS = 14;
/** A version's own first days, if nothing else is known: so many values make a reference. */
const MIN_REFERENCE = 200;
const MAX_OWN = 2_000;
/**
 * Chance that any target of one look is called drift by accident. The windows move by the hour: a tenth of 5 % in ten days is at most 240 looks
 * times this, and less, since two windows share most of their values.
 */
const ALPHA = 0.0002;

const WATCHED = ["inputs", "missing", "confidence", "classes"] as const satisfies SubjectName[];
const isWatched = ({ cell }: SeenCell) => (WATCHED as readonly string[]).includes(cell.subject);

interface Watched {
  cell: Cell;
  reference: Reference;
  spread: Spread;
  from: number;
  measured: Measured;
}

export class Drift {
  readonly #deps: DriftDeps;
  /** The last reports, by model. */
  #latest = new Map<string, DriftReport[]>();
  /** Versions' own first days, which do not change any more. */
  readonly #own = new Map<string, Reference>();

  constructor(deps: DriftDeps) {
    this.#deps = deps;
  }

  /** The last reports of all models, for `GET /metrics`. */
  latest(): DriftReport[] {
    return [...this.#latest.values()].flat();
  }

  /** Looks at the models that most senders report about. */
  async refresh(): Promise<void> {
    const models = busiestModels(await this.#deps.store.seenCells(), isWatched);
    for (const model of this.#latest.keys()) if (!models.includes(model)) this.#latest.delete(model);
    for (const model of models) await this.report(model);
  }

  /** The reports of one model, what drifts first. */
  async report(model: string): Promise<DriftReport[]> {
    const { store, now } = this.#deps;
    const to = Math.ceil((now() + 1) / HOUR_MS) * HOUR_MS;
    const seen = (await store.seenCells(model)).filter(isWatched);
    const spans = await this.#spans(model, to);
    const watched: Watched[] = [];
    for (const one of seen) {
      const found = spans.get(cellKey(one.cell));
      const reference = found && (await this.#referenceOf(one, found.from));
      const spread = reference && binsOf(one.cell, reference, found.spread);
      const measured = spread && measure(spread, reference);
      if (measured) watched.push({ cell: one.cell, reference, spread, from: found.from, measured });
    }
    const adjusted = holm(watched.map(({ measured }) => measured.chi2.p));
    const isDrift = watched.map(({ measured }, i) => measured.psi > measured.threshold && (adjusted[i] ?? 1) < ALPHA);
    const drifting = watched.filter((_, i) => isDrift[i]);
    const hours = await this.#hours(model, to, drifting);
    const reports = watched
      .map((one) => reportOf(one, to, hours.get(cellKey(one.cell)) ?? null))
      .sort((a, b) => Number(b.isDrift) - Number(a.isDrift) || b.psi / b.threshold - a.psi / a.threshold);
    if (reports.length > 0) this.#latest.set(model, reports);
    return reports;
  }

  /** The current window of each cell: the longer one where the shorter has too few values. */
  async #spans(model: string, to: number): Promise<Map<string, { spread: Spread; from: number }>> {
    const spans = new Map<string, { spread: Spread; from: number }>();
    for (const length of [LONG_WINDOW_MS, WINDOW_MS])
      for (const { cell, sums } of await this.#read(model, to - length, to, length)) {
        const spread = spreadFromSums(sums, SUBJECTS[cell.subject].size);
        if (sum(spread.total) >= MIN_VALUES) spans.set(cellKey(cell), { spread, from: to - length });
      }
    return spans;
  }

  #read(model: string, from: number, to: number, step: number): Promise<EvidenceSums[]> {
    return this.#deps.store.evidence({ model, subjects: WATCHED, from: Math.max(0, from), to, step, origin: from });
  }

  async #referenceOf({ cell, first }: SeenCell, before: number): Promise<Reference | undefined> {
    const { model, version, subject } = cell;
    const registered = registeredReference(cell, this.#deps.profiles.of(model, version));
    if (registered) return registered;
    const key = cellKey(cell);
    const known = this.#own.get(key);
    if (known) return known;
    for (const length of [WINDOW_MS, LONG_WINDOW_MS]) {
      if (first + length > before) return undefined;
      const rows = await this.#read(model, first, first + length, length);
      const own = rows.find((row) => cellKey(row.cell) === key);
      const spread = own ? spreadFromSums(own.sums, SUBJECTS[subject].size) : emptySpread(0);
      if (sum(spread.total) < MIN_REFERENCE) continue;
      const reference = { shares: sharesOf(spread.total), size: effectiveSize(spread) };
      if (this.#own.size >= MAX_OWN) this.#own.clear();
      this.#own.set(key, reference);
      return reference;
    }
    return undefined;
  }

  /** Of each cell the start of the first of the windows in a row, back from now, that differ from the reference. */
  async #starts(model: string, to: number, watched: readonly Watched[]): Promise<Map<string, number>> {
    const from = to - HISTORY_WINDOWS * WINDOW_MS;
    const rows = await this.#read(model, from, to, WINDOW_MS);
    const starts = new Map<string, number>();
    for (const { cell, reference } of watched) {
      const slots = new Map(
        rows.filter((row) => cellKey(row.cell) === cellKey(cell)).map((row) => [row.slot, row.sums]),
      );
      for (let slot = HISTORY_WINDOWS - 1; slot >= 0; slot -= 1) {
        const sums = slots.get(slot);
        const spread = sums && spreadFromSums(sums, SUBJECTS[cell.subject].size);
        const found = spread && measure(binsOf(cell, reference, spread), reference);
        if (!found || found.psi <= found.threshold || found.chi2.p >= ALPHA) break;
        starts.set(cellKey(cell), from + slot * WINDOW_MS);
      }
    }
    return starts;
  }

  /** The hour at which each drift began: within the window in which it was found first, the one before and the one after. */
  async #hours(model: string, to: number, drifting: readonly Watched[]): Promise<Map<string, number>> {
    const starts = drifting.length > 0 ? await this.#starts(model, to, drifting) : new Map<string, number>();
    const hours = new Map<string, number>();
    for (const { cell, from } of drifting) {
      const key = cellKey(cell);
      const start = starts.get(key) ?? from;
      const end = starts.has(key) ? Math.min(to, start + 2 * WINDOW_MS) : to;
      const rows = await this.#read(model, start - WINDOW_MS, end, HOUR_MS);
      const all = rows
        .filter((row) => cellKey(row.cell) === key)
        .map(({ slot, sums }) => ({
          time: start - WINDOW_MS + slot * HOUR_MS,
          counts: spreadFromSums(sums, SUBJECTS[cell.subject].size).total,
        }));
      hours.set(key, shiftOf(all) ?? start);
    }
    return hours;
  }
}

function reportOf({ cell, reference, spread, from, measured }: Watched, to: number, since: number | null): DriftReport {
  const { model, version, arm } = cell;
  return {
    model,
    version,
    arm,
    target: targetOf(cell),
    n: sum(spread.total),
    from,
    to,
    ...measured,
    ...distances(spread, reference),
    isDrift: since !== null,
    since,
    reference: sharesOf(reference.shares),
    current: sharesOf(spread.total),
  };
}

const sum = (values: readonly number[]) => values.reduce((all, one) => all + one, 0);
