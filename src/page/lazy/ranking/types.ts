// The public interface of a ranker: items, the user's actions on them, and the order that follows.

/** One item that can be ranked. */
export interface RankingItem {
  /** A string of 1 to 200 characters, unique among the items. */
  id: string;
  /** One row of the base model's input; all items have the same length. */
  features: Float32Array;
  /** What it has in common with other items, such as `"genre:Drama"`: at most 64 different strings of 1 to 200 characters. Tastes are learned for these. */
  traits: string[];
}

/** One action of the user on an item. */
export interface RankingEvent {
  /**
   * `shown`: the item was in the list; without another event it counts as passed over. `clicked`: the user chose it. `dwelled`: the user looked at it
   * for `durationMs`. `dismissed`: the user removed it.
   */
  kind: "shown" | "clicked" | "dwelled" | "dismissed";
  /** The item's id. */
  item: string;
  /** Its position in the list, from 0. */
  position: number;
  /** Milliseconds, required for `dwelled`; more than a day counts as a day. */
  durationMs?: number;
}

/** An event as it is stored. */
export interface RecordedEvent extends RankingEvent {
  /** 128 random bits in hexadecimal. */
  id: string;
  /** In epoch milliseconds. */
  recordedAt: number;
  /** The item's traits that were learned from. */
  traits: string[];
}

/** One item of the personal order. */
export interface RankedItem {
  id: string;
  /** Its index in what was passed to `setItems`. */
  index: number;
  /** Items are ordered by it: log-odds of a click, without the part that is equal for all items; with `explore`, the explored score. */
  score: number;
  /** The base model's score. */
  base: number;
  /** Standard deviation of `score`. */
  uncertainty: number;
  /** Traits that raise the score, and by how much; the largest first. */
  reasons: { trait: string; weight: number }[];
}

/** What was learned about one trait. */
export interface TraitWeight {
  trait: string;
  /** What the trait adds to the log-odds of a click; negative for traits that the user avoids. */
  weight: number;
  /** Standard deviation of `weight`. */
  deviation: number;
}

export interface RankingOptions {
  /**
   * Milliseconds after which half of what was learned is forgotten.
   * @defaultValue 60 days
   */
  halfLife?: number;
  /**
   * Number of clicks and dismissals after which half of what was learned is forgotten, so that a new taste shows soon.
   * @defaultValue 30
   */
  halfLifeActions?: number;
  /**
   * Probability, 0 to 1, that a user looks at position `position` of the list (Joachims et al. 2017, "Unbiased Learning-to-Rank with Biased
   * Feedback").
   * @defaultValue `(position) => 1 / (1 + position)`
   */
  examination?: (position: number) => number;
  /**
   * Traits that fewer items have are not learned.
   * @defaultValue 3
   */
  minItems?: number;
}

export interface RankOptions {
  /**
   * Puts items forward about which little is known. `thompson`: by chance, with weights that are drawn from the posterior (Thompson 1933; Chapelle &
   * Li 2011). `ucb`: always, by one standard deviation (LinUCB, Li et al. 2010).
   * @defaultValue `"none"`
   */
  explore?: "none" | "thompson" | "ucb";
  /**
   * Maximum number of items to return.
   * @defaultValue all
   */
  top?: number;
}

/**
 * A list that learns from one user's actions which items to put first: Bayesian logistic regression over the base model's score and the items'
 * traits, one Kalman step for each event (Penny & Roberts 1999; position bias by the position-based model, Craswell et al. 2008). Everything that it
 * learns is stored in this browser. After `dispose` every method except `forget` throws or rejects with `disposed`.
 *
 * @example
 * ```ts
 * const mine = await model.personalize("for-you");
 * await mine.setItems(films);
 * const list = mine.rank({ top: 10 });
 * await mine.recordEvents(list.map(({ id }, position) => ({ kind: "shown", item: id, position })));
 * ```
 */
export interface PersonalRanker {
  readonly name: string;
  /**
   * Replaces the items, and scores all of them by the base model. `rank` uses the previous items until it resolves.
   *
   * @throws `input_invalid` for an item that cannot be ranked, `output_invalid` when the base model does not score each item, `aborted`.
   * @example
   * ```ts
   * await mine.setItems([{ id: "up", features: new Float32Array(72), traits: ["genre:Comedy"] }]);
   * ```
   */
  setItems(items: RankingItem[], options?: { signal?: AbortSignal }): Promise<void>;
  /**
   * Returns the items, the best first, without waiting.
   *
   * @throws `disposed`.
   * @example
   * ```ts
   * for (const { id, reasons } of mine.rank({ top: 10, explore: "thompson" })) console.log(id, reasons);
   * ```
   */
  rank(options?: RankOptions): RankedItem[];
  /**
   * Learns from events in their order. `rank` uses them as soon as the call returns; the promise resolves once they are stored.
   *
   * @throws `input_invalid` for an event that is not one, or whose item was not passed to `setItems`: then nothing is learned. `consent_denied`.
   * @example
   * ```ts
   * await mine.recordEvents({ kind: "clicked", item: "up", position: 0 });
   * ```
   */
  recordEvents(event: RankingEvent | RankingEvent[]): Promise<void>;
  /**
   * The traits that were learned, those with the largest weights first.
   *
   * @throws `disposed`.
   * @example
   * ```ts
   * const favourites = mine.tastes().filter(({ weight }) => weight > 0.5);
   * ```
   */
  tastes(): TraitWeight[];
  /**
   * The stored events, the oldest first; at most the last 1,000.
   *
   * @example
   * ```ts
   * const clicks = (await mine.events()).filter(({ kind }) => kind === "clicked");
   * ```
   */
  events(): Promise<RecordedEvent[]>;
  /**
   * Exports the events as one JSON file, which is not encrypted.
   *
   * @example
   * ```ts
   * const file = await mine.export();
   * ```
   */
  export(): Promise<Blob>;
  /**
   * Adds the events of such a file. Resolves with how many were new, and how many were stored already.
   *
   * @throws `input_invalid` for a file that was altered, is not an export, or belongs to another base model; nothing is changed then.
   * `consent_denied`.
   * @example
   * ```ts
   * const { events, known } = await mine.import(file);
   * ```
   */
  import(file: Blob): Promise<{ events: number; known: number }>;
  /**
   * Removes everything that was learned, also from disk.
   *
   * @example
   * ```ts
   * await mine.forget();
   * ```
   */
  forget(): Promise<void>;
  /**
   * Ends the exchange with the site's other tabs; everything that is stored stays. Calling it twice is safe.
   *
   * @example
   * ```ts
   * await mine.dispose(); // or: await using mine = await model.personalize("for-you");
   * ```
   */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
