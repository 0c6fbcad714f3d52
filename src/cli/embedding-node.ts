// Checks that the node which the publisher names as the embedding is one of the model's, and suggests names where it is not.
import leven from "leven";
import { InsituError } from "../shared/errors.js";
import type { Manifest } from "../shared/types/manifest.js";
import { nodeNames } from "./graph-specs.js";
import { layerNames } from "./layers-specs.js";

const MOST_SUGGESTIONS = 5;

/** Without this check, a misspelt node would only fail when a user adds the first example. */
export function checkEmbedding({ embedding, format }: Manifest, json: Record<string, unknown>, model: string): void {
  if (!embedding) return;
  const { node } = embedding;
  const isGraph = format === "tfjs-graph-model";
  const names = (isGraph ? nodeNames(json) : layerNames(json)).map(String);
  if (names.includes(node)) return;
  const [kind, kinds] = isGraph ? ["node", "nodes"] : ["layer", "layers"];
  const near = nearest(node, names);
  const message = `${model} has no ${kind} named ${node}, the "embedding" of the --task file. ${near.length < names.length ? `The nearest names of its ${names.length} ${kinds} are` : `Its ${kinds} are`} ${near.join(", ")}. Correct the name.`;
  throw new InsituError("input_invalid", message, { node, near });
}

/** Names that contain the wanted one, or are contained in it, come before those that differ in few letters. */
function nearest(wanted: string, names: string[]): string[] {
  const distance = (name: string): number => {
    const [a, b] = [name.toLowerCase(), wanted.toLowerCase()];
    return a.includes(b) || b.includes(a) ? Math.abs(a.length - b.length) / 1000 : leven(a, b);
  };
  return names
    .map((name) => ({ name, distance: distance(name) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, MOST_SUGGESTIONS)
    .map(({ name }) => name);
}
