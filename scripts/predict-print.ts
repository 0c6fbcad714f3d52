// Prints the predictions of `npm run predict`, as a table or as JSON.
import { basename } from "node:path";
import type { ClassScore, Detection, ModelInfo, Prediction } from "../src/shared/types/model.js";

/** The result for one picture. */
export type Outcome =
  | { photo: number; ok: true; prediction: Omit<Prediction, "outputs" | "model"> }
  | { photo: number; ok: false; code: string; message: string };

const isDetection = (score: ClassScore): score is Detection => "box" in score;

function row(score: ClassScore): string {
  const text = `  ${score.label.padEnd(16)} ${score.score.toFixed(3)}`;
  if (!isDetection(score)) return text;
  const { x, y, width, height } = score.box;
  return `${text}   x ${x.toFixed(0)}, y ${y.toFixed(0)}, ${width.toFixed(0)} x ${height.toFixed(0)} px`;
}

export function printTable(photos: string[], info: ModelInfo, predictions: Outcome[]): void {
  console.log(`${info.name} ${info.version}, on ${info.backend}, from ${info.source}`);
  for (const { backend, reason } of info.refused) console.log(`  not on ${backend}: ${reason}`);
  for (const outcome of predictions) {
    console.log(`\n${basename(photos[outcome.photo] ?? "")}`);
    if (!outcome.ok) {
      console.log(`  ${outcome.code}: ${outcome.message}`);
      continue;
    }
    const { value, backend, timings } = outcome.prediction;
    const listed = info.task === "classification" || info.task === "detection";
    if (!listed) console.log(`  ${JSON.stringify(value)}`);
    else if ((value as ClassScore[]).length === 0) console.log("  no result above the minimum score");
    else for (const score of value as ClassScore[]) console.log(row(score));
    const phases = Object.entries(timings).map(([phase, ms]) => `${phase} ${ms.toFixed(1)}`);
    console.log(`  ${backend}, ms: ${phases.join(", ")}`);
  }
}

export function printJson(photos: string[], info: ModelInfo, predictions: Outcome[]): void {
  const { name, version, release, digest, backend, source, refused, measured } = info;
  const results = predictions.map((outcome) => {
    const photo = photos[outcome.photo];
    if (outcome.ok) return { photo, ...outcome.prediction };
    return { photo, error: { code: outcome.code, message: outcome.message } };
  });
  const model = { name, version, release, digest, backend, source, refused, measured };
  console.log(JSON.stringify({ model, predictions: results }, null, 2));
}
