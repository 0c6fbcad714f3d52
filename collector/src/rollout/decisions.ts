// Decides about each model's candidate from stored evidence, and keeps what was decided.
import { ownBounds } from "../catalogue.js";
import { busiestModels } from "../evidence/busiest.js";
import { HOUR_MS } from "../evidence/evidence.js";
import type { Store } from "../store.js";
import type { Channels } from "./channels.js";
import { countOf, daysOf } from "./days.js";
import { DecisionLog } from "./decision-log.js";
import type { Decision } from "./decision-types.js";
import { judge, type Margins } from "./judge.js";
import { type Roles, rolesOfCells, rolesOfChannel } from "./roles.js";

const DAY_MS = 24 * HOUR_MS;

export interface DecisionDeps {
  store: Store;
  channels: Channels;
  margins: Margins;
  now: () => number;
}

export class Decisions {
  readonly #deps: DecisionDeps;
  readonly #log: DecisionLog;
  /** The last decision of each model, for `GET /metrics`. */
  readonly #latest = new Map<string, Decision>();
  /** Two decisions of one model at the same time would both be written. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(deps: DecisionDeps) {
    this.#deps = deps;
    this.#log = new DecisionLog(deps.store);
  }

  latest(): Decision[] {
    return [...this.#latest.values()];
  }

  /** Null for a model of which nobody has reported anything, and that has no channel. */
  decide(model: string): Promise<Decision | null> {
    const turn = (this.#turns.get(model) ?? Promise.resolve()).then(() => this.#decide(model));
    const settled = turn.catch(() => undefined);
    this.#turns.set(model, settled);
    void settled.then(() => this.#turns.get(model) === settled && this.#turns.delete(model));
    return turn;
  }

  /** Decides about the models that have a channel, and about those of others that most senders report about. */
  async refresh(): Promise<void> {
    const published = this.#deps.channels.models();
    const others = busiestModels(await this.#deps.store.seenCells(), ({ cell }) => cell.arm !== "stable");
    for (const model of new Set([...published, ...others])) await this.decide(model);
  }

  async #decide(model: string): Promise<Decision | null> {
    const { store, channels, margins, now } = this.#deps;
    const roles = rolesOfChannel(await channels.versions(model)) ?? rolesOfCells(await store.seenCells(model));
    if (!roles) return null;
    const at = now();
    const from = Math.floor(roles.since / HOUR_MS) * HOUR_MS;
    const subjects = ["outcomes", "runs", "shadow"] as const;
    // By days of the calendar from the first hour on: a day's senders are counted by day.
    const start = Math.floor(from / DAY_MS) * DAY_MS;
    const rows = await store.evidence({ model, subjects, from, to: at + HOUR_MS, step: DAY_MS, origin: start });
    const decision = await this.#conclude(model, at, roles, rows, margins);
    this.#latest.set(model, decision);
    return decision;
  }

  async #conclude(
    model: string,
    at: number,
    roles: Roles,
    rows: Awaited<ReturnType<Store["evidence"]>>,
    margins: Margins,
  ): Promise<Decision> {
    const { candidate, since } = roles;
    const control = { ...roles.control, n: countOf(rows, roles.control) };
    const history = await this.#log.of(model);
    if (!candidate)
      return {
        model,
        at,
        since: null,
        control,
        candidate,
        action: "hold",
        reason: "no_candidate",
        missing: [],
        evidence: [],
        history,
      };
    const judged = judge(daysOf(rows, roles), ownBounds("ml.inference.duration"), margins);
    const n = judged.evidence.reduce((sum, one) => sum + one.control.n + one.candidate.n, 0);
    const entry = await this.#log.add({ model, at, roles, judged, n });
    return {
      model,
      at,
      since,
      control,
      candidate: { ...candidate, n: countOf(rows, candidate) },
      action: entry.action,
      reason: entry.reason,
      missing: judged.missing,
      evidence: judged.evidence,
      history: await this.#log.of(model),
    };
  }
}
