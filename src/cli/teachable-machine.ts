// Reads the metadata.json that Teachable Machine exports beside model.json: labels, and how images become numbers.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { isObject, own } from "../shared/json-fields.js";
import { readJsonFile } from "./files.js";
import type { Guesses } from "./guess.js";
import type { TaskFile } from "./task-file.js";

export interface TeachableMachine {
  /** The name that the project has there. */
  name?: string;
  given: TaskFile;
  /** What was read, in words. */
  about: string;
}

// @teachablemachine/image 0.8.5, utils/tf.ts: the middle square, pixel / 127 - 1.
const IMAGE = { fit: "cover", scale: 1 / 127, mean: 1 } as const;

/** Undefined where there is no such file, or another tool wrote it. Throws `input_invalid` if it is not JSON. */
export async function readTeachableMachine(folder: string, { inputs }: Guesses): Promise<TeachableMachine | undefined> {
  const path = join(folder, "metadata.json");
  if (!(await stat(path).catch(() => undefined))?.isFile()) return undefined;
  const json = await readJsonFile(path);
  if (!isObject(json)) return undefined;
  const labels = own(json, "labels") ?? own(json, "wordLabels");
  if (!Array.isArray(labels) || !labels.every((label) => typeof label === "string")) return undefined;
  const name = own(json, "modelName");
  const packageName = String(own(json, "packageName") ?? "");
  const [input] = inputs;
  const channels = input?.shape?.at(-1);
  const isImage = packageName.endsWith("/image") && input?.shape?.length === 4 && (channels === 1 || channels === 3);
  const image = isImage && {
    fit: IMAGE.fit,
    scale: IMAGE.scale,
    mean: new Array<number>(channels).fill(IMAGE.mean),
  };
  const kind = packageName.endsWith("/pose")
    ? "poses (its input is PoseNet's output)"
    : "sounds (its input is a spectrogram)";
  return {
    ...(typeof name === "string" && name !== "" && { name }),
    given: {
      task: { kind: "classification", labels },
      ...(image && input && { inputs: [{ name: input.name, image }] }),
    },
    about: `metadata.json of Teachable Machine: ${labels.length} labels${isImage ? ", images cropped to the middle" : `, ${kind}`}`,
  };
}
