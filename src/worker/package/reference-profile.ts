// Checks the reference profile of a manifest: what inputs were like when the model was made.

import {
  type At,
  compact,
  finite,
  integer,
  keyName,
  list,
  object,
  optional,
  own,
  refuse,
  under,
  unique,
} from "../../shared/json-fields.js";
import type { InputSpec, ModelTask, ReferenceFeature, ReferenceProfile } from "../../shared/types/manifest.js";

const MAX_FEATURES = 16;
const MAX_NAME = 64;
const EDGES = 19;
/** One more than there are edges. */
const BINS = 20;
// Shares that were rounded for the manifest.
const ROUNDING = 1e-3;

export function parseReference(value: unknown, inputs: InputSpec[], task: ModelTask, at: At): ReferenceProfile {
  const given = object(value, at);
  const get = (key: string) => own(given, key);
  const features = sized(get("features"), MAX_FEATURES, under(at, "features"), true).map((item, index) =>
    parseFeature(item, inputs, under(under(at, "features"), index)),
  );
  unique(
    features.map(({ name }) => name),
    under(at, "features"),
  );
  const shares = (key: string, count: number) =>
    optional(get(key), (value) => parseShares(value, count, under(at, key)));
  return compact({
    samples: integer(get("samples"), under(at, "samples"), 1),
    features,
    confidence: shares("confidence", BINS),
    classes: shares("classes", "labels" in task ? task.labels.length : 0),
  });
}

function parseFeature(value: unknown, inputs: InputSpec[], at: At): ReferenceFeature {
  const given = object(value, at);
  const number = (key: string, min?: number, max?: number) => finite(own(given, key), under(at, key), min, max);
  const name = keyName(own(given, "name"), under(at, "name"));
  if (name.length > MAX_NAME || !inputs.some((input) => name.startsWith(`${input.name}.`)))
    refuse(under(at, "name"), `must be the name of an input, a dot and a feature, at most ${MAX_NAME} characters`);
  const low = number("low");
  const high = number("high", low);
  const edges = sized(own(given, "edges"), EDGES, under(at, "edges"));
  let least = low;
  const sorted = edges.map((edge, index) => {
    least = finite(edge, under(under(at, "edges"), index), least, high);
    return least;
  });
  return { name, edges: sorted, low, high, missing: number("missing", 0, 1) };
}

function parseShares(value: unknown, count: number, at: At): number[] {
  const shares = sized(value, count, at).map((share, index) => finite(share, under(at, index), 0, 1));
  const sum = shares.reduce((total, share) => total + share, 0);
  return Math.abs(sum - 1) < ROUNDING ? shares : refuse(at, `must add up to 1, it adds up to ${sum}`);
}

/** A list of `count` items; with `isMax` of at most as many. */
function sized(value: unknown, count: number, at: At, isMax = false): unknown[] {
  const items = list(value, at);
  if (isMax ? items.length <= count : items.length === count) return items;
  return refuse(at, `must have ${isMax ? "at most " : ""}${count} items, it has ${items.length}`);
}
