// The plain data of a ranker that learns its user: items, what was done with them, and the order that comes of it.

/** One thing that may be shown. */
export interface RankingItem {
  /** Unique among the items. */
  id: string;
  /** One row of the base model's input. */
  features: Float32Array;
  /** What it has in common with others, such as `"genre:Drama"`; tastes are learned for these. At most 64, each of at most 200 characters. */
  traits: string[];
}

/** What the user did, or did not do. */
export interface RankingEvent {
  /**
   * `shown`: it was in the list; if nothing else follows, it was passed over. `clicked`: it was chosen. `dwelled`: it was looked at for
   * `ms`. `dismissed`: it was sent away.
   */
  kind: "shown" | "clicked" | "dwelled" | "dismissed";
  /** The item's id. */
  item: string;
  /** Its place in the list, from 0. */
  position: number;
  /** Milliseconds; `dwelled` needs it. */
  durationMs?: number;
}

/** One item of the personal order. */
export interface RankedItem {
  id: string;
  /** Its place in what was passed to `setItems`. */
  index: number;
  /** What the order is by: log-odds of a click, without what is the same for all items; with exploration, the explored score. */
  score: number;
  /** What the base model said, as it said it. */
  base: number;
  /** Standard deviation of `score`. */
  uncertainty: number;
  /** What its traits add to the score; those that raise it, the largest first. */
  reasons: { trait: string; weight: number }[];
}

/** What is known of one trait. */
export interface TraitWeight {
  trait: string;
  /** Log-odds of a click that the trait adds; under 0 it takes. */
  weight: number;
  /** Standard deviation of `weight`. */
  deviation: number;
}

export interface RankingOptions {
  /** Milliseconds after which half of what was learned is forgotten. Default 60 days. */
  halfLife?: number;
  /** Clicks and dismissals after which half is, so that a new taste shows soon. Default 30. */
  halfLifeActions?: number;
  /** How likely it is, 0 to 1, that the place `position` of the list was looked at. Default `1 / (1 + position)`. */
  examination?: (position: number) => number;
  /** Traits of fewer items are not learned. Default 3. */
  minItems?: number;
}

/** A list that learns from one user what to put first. What it knows stays in this browser. */
export interface PersonalRanker {
  readonly name: string;
  /** Scores all items with the base model, once. Rejects with `input_invalid` for items that cannot be. */
  setItems(items: RankingItem[], options?: { signal?: AbortSignal }): Promise<void>;
  /**
   * All items, best first, at once. `explore` puts up what is not known well, by chance (`thompson`) or always (`ucb`); default `none`.
   * `top` is how many to answer; default all.
   */
  rank(options?: { explore?: "none" | "thompson" | "ucb"; top?: number }): RankedItem[];
  /**
   * Learns from events in their order, before it returns; resolves once they are stored. Rejects with `input_invalid` for an item that was not
   * passed to `setItems`; then nothing was learned.
   */
  recordEvents(event: RankingEvent | RankingEvent[]): Promise<void>;
  /** Of the traits that the user has met; the strongest first. */
  tastes(): TraitWeight[];
  /** How many events are kept; at most 1,000. */
  events(): number;
  /** All that was learned, as one JSON file. */
  export(): Promise<Blob>;
  /**
   * Adds the events of such a file. `events` is how many were new, `known` how many were here. Rejects with `input_invalid` for a file that is
   * damaged, of another model or no such file; then nothing has changed.
   */
  import(file: Blob): Promise<{ events: number; known: number }>;
  /** Removes all that was learned, from this browser's disk too. */
  forget(): Promise<void>;
  /** What was learned stays. Twice is safe. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
