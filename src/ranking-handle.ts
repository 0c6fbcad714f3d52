// Opens a ranker on a model: fetches that part of the library, and scores its items by the model's own predictions.
import { asInsituError, InsituError } from "./errors.js";
import type { RankerParts } from "./ranking/ranker.js";
import type { PersonalRanker, RankingOptions } from "./ranking-types.js";
import type { ModelInfo, PredictInput, Prediction, PredictOptions } from "./types.js";

export interface RankingHandleParts extends Pick<RankerParts, "storeName" | "onEvent" | "mayLearn"> {
  info: ModelInfo;
  predict(input: PredictInput, options?: PredictOptions): Promise<Prediction>;
}

// A message's, a file's and a list's.
const MOST_NAME = 100;

/** Rejects with `input_invalid` for a name that is none, and with `model_format` for a model that does not rank. */
export async function openRanker(
  { info, predict, ...parts }: RankingHandleParts,
  name: string,
  options: RankingOptions = {},
): Promise<PersonalRanker> {
  if (typeof name !== "string" || name === "" || name.length > MOST_NAME) {
    const message = `The ranker's name is ${JSON.stringify(name)}; pass a text of 1 to ${MOST_NAME} characters.`;
    throw new InsituError("input_invalid", message, { name });
  }
  if (info.task !== "ranking") {
    const message = `${info.name} is for ${info.task}; only a model whose task is ranking can rank for a user.`;
    throw new InsituError("model_format", message, { task: info.task });
  }
  const { createRanker } = await import("./ranking/ranker.js").catch((error: unknown) => {
    throw asInsituError(error, "network", "The part of the library for rankers could not be fetched");
  });
  const score = async (features: Float32Array, count: number, signal?: AbortSignal) => {
    const { value } = await predict(features, { signal });
    // What the model leaves out is no score, and is told.
    const scores = new Float32Array(count).fill(Number.NaN);
    for (const { index, score } of value as { index: number; score: number }[]) scores[index] = score;
    return scores;
  };
  const refuse: RankerParts["refuse"] = (code, message, data, cause) => {
    throw new InsituError(code, message, data, { cause });
  };
  return createRanker({ ...parts, refuse, options, name, model: info.name, score });
}
