// What a model declares about its inputs and outputs, before the publisher's own word is added.
import type { DType } from "../shared/types/tensor.js";

/** What the model declares about a tensor. A field that it does not declare is undefined. */
export interface Guess {
  name: string;
  dtype?: DType;
  shape?: number[];
  /** The model's own name of a dtype that insitu does not support, such as `DT_STRING`. */
  unsupported?: string;
}

export interface Guesses {
  inputs: Guess[];
  outputs: Guess[];
  /** Other names that people know a tensor by, with the model's own: `x` for `x:0`, a signature's key. */
  aliases: Record<"inputs" | "outputs", Map<string, string>>;
}

export function guessesOf(inputs: Guess[], outputs: Guess[], keys: Partial<Guesses["aliases"]> = {}): Guesses {
  const aliases = { inputs: aliasesOf(inputs, keys.inputs), outputs: aliasesOf(outputs, keys.outputs) };
  return { inputs, outputs, aliases };
}

function aliasesOf(tensors: Guess[], keys: Map<string, string> = new Map()): Map<string, string> {
  const short = tensors.filter(({ name }) => name.endsWith(":0")).map(({ name }) => [name.slice(0, -2), name] as const);
  // A tensor's own name wins over a key.
  const own = tensors.map(({ name }) => [name, name] as const);
  return new Map([...keys, ...short, ...own]);
}
