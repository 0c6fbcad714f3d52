// Keeps decisions: each change, and now and then the evidence that led to it.
import type { Store } from "../store.js";
import type { Action, HistoryEntry, Judgement, Reason } from "./decision-types.js";
import type { Roles } from "./roles.js";

interface Entry extends HistoryEntry {
  since: number;
  n: number;
}

export interface NewEntry {
  model: string;
  at: number;
  roles: Roles;
  judged: Judgement;
  /** Values that it is made from. */
  n: number;
}

/** Evidence is written again when it has grown by so much: some hundred rows from the first to the billionth prediction. */
const GROWTH = 1.2;
const MAX_ENTRIES = 500;

export class DecisionLog {
  readonly #store: Store;
  /** The entries of each model, oldest first, as they are stored. */
  readonly #known = new Map<string, Entry[]>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Oldest first, the last 500. */
  async of(model: string): Promise<HistoryEntry[]> {
    return (await this.#entries(model)).map(({ since: _since, n: _n, ...entry }) => entry);
  }

  /**
   * Adds a judgement when it says something new, and returns what holds. A candidate that was once proved to be worse stays rolled back until
   * the channel changes: a proof holds whenever it was found, and one that comes and goes would bring pages back to a bad version.
   */
  async add({ model, at, roles, judged, n }: NewEntry): Promise<{ action: Action; reason: Reason }> {
    const entries = await this.#entries(model);
    const control = roles.control.version;
    const candidate = roles.candidate?.version ?? "";
    const last = entries.at(-1);
    const isSince = last?.since === roles.since || !roles.isPublished;
    const isSame = last?.control === control && last.candidate === candidate && isSince;
    const isOver = isSame && last.action === "rollback" && judged.action !== "rollback";
    const { action, reason } = isOver ? last : judged;
    if (isSame && last.action === action && last.reason === reason && n < last.n * GROWTH + 1)
      return { action, reason };
    const evidence = judged.evidence.map(({ metric, trusted, difference, low, high, verdict }) => {
      return { metric, trusted, difference, low, high, verdict };
    });
    const entry = { at, action, reason, control, candidate, evidence, since: roles.since, n };
    await this.#store.write((connection) =>
      connection.run(
        `INSERT INTO decisions VALUES ($model, epoch_ms($at::BIGINT), epoch_ms($since::BIGINT), $control, $candidate, $action, $reason, $n, $judged)`,
        {
          model,
          at: BigInt(at),
          since: BigInt(Math.trunc(roles.since)),
          control,
          candidate,
          action,
          reason,
          n,
          judged: JSON.stringify(evidence),
        },
      ),
    );
    entries.push(entry);
    if (entries.length > MAX_ENTRIES) entries.shift();
    return { action, reason };
  }

  async #entries(model: string): Promise<Entry[]> {
    const known = this.#known.get(model);
    if (known) return known;
    const sql = `SELECT epoch_ms(time)::DOUBLE AS time, epoch_ms(since)::DOUBLE AS since, control, candidate, action, reason, n, judged
      FROM decisions WHERE model = $model ORDER BY time DESC, n DESC LIMIT ${MAX_ENTRIES}`;
    const rows = await this.#store.read((connection) => connection.runAndReadAll(sql, { model }));
    const entries = rows.getRowObjectsJS().reverse().map(entryOf);
    this.#known.set(model, entries);
    return entries;
  }
}

function entryOf(row: Record<string, unknown>): Entry {
  return {
    at: Number(row.time),
    since: Number(row.since),
    control: String(row.control),
    candidate: String(row.candidate),
    action: String(row.action) as Action,
    reason: String(row.reason) as Reason,
    n: Number(row.n),
    evidence: JSON.parse(String(row.judged)),
  };
}
