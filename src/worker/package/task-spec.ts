// Checks the two parts of a manifest that give numbers a meaning: the task, and the conversion of an image to an input.

import {
  type At,
  compact,
  finite,
  integer,
  list,
  object,
  oneOf,
  optional,
  own,
  refuse,
  text,
  under,
} from "../../shared/json-fields.js";
import type { DetectionColumn, ImageSpec, ModelTask, TensorSpec } from "../../shared/types/manifest.js";

const KINDS = ["classification", "detection", "embedding", "regression", "ranking", "raw"] as const;
const COLUMNS = ["left", "top", "right", "bottom", "score", "class"] as const satisfies readonly DetectionColumn[];

export function parseTask(value: unknown, outputs: TensorSpec[], at: At): ModelTask {
  const given = object(value, at);
  const kind = oneOf(own(given, "kind"), KINDS, under(at, "kind"));
  if (kind === "raw") return { kind };
  const output = optional(own(given, "output"), (name) => outputName(name, outputs, under(at, "output")));
  switch (kind) {
    case "classification":
      return compact({
        kind,
        output,
        labels: labels(given, at),
        top: optional(own(given, "top"), (top) => integer(top, under(at, "top"), 1)),
        activation: optional(own(given, "activation"), (name) =>
          oneOf(name, ["none", "softmax", "sigmoid"] as const, under(at, "activation")),
        ),
      });
    case "detection":
      checkRows(outputs.find(({ name }) => name === output) ?? outputs[0], at);
      return compact({
        kind,
        output,
        labels: labels(given, at),
        columns: columns(own(given, "columns"), under(at, "columns")),
        minScore: optional(own(given, "minScore"), (score) => finite(score, under(at, "minScore"), 0, 1)),
        maxOverlap: optional(own(given, "maxOverlap"), (overlap) => finite(overlap, under(at, "maxOverlap"), 0, 1)),
      });
    case "embedding":
    case "regression":
    case "ranking":
      return compact({ kind, output });
    default:
      return kind satisfies never;
  }
}

function outputName(value: unknown, outputs: TensorSpec[], at: At): string {
  return oneOf(
    value,
    outputs.map(({ name }) => name),
    at,
  );
}

function labels(given: Record<string, unknown>, at: At): string[] {
  return list(own(given, "labels"), under(at, "labels")).map((label, index) =>
    text(label, under(under(at, "labels"), index)),
  );
}

/** Each column exactly once: otherwise a wrong order could not be detected. */
function columns(value: unknown, at: At): DetectionColumn[] {
  const found = list(value, at).map((column, index) => oneOf(column, COLUMNS, under(at, index)));
  const missing = COLUMNS.filter((column) => !found.includes(column));
  if (missing.length > 0) refuse(at, `must name all of ${COLUMNS.join(", ")}; ${missing.join(", ")} is missing`);
  if (found.length !== COLUMNS.length) refuse(at, "names a column twice");
  return found;
}

function checkRows(output: TensorSpec | undefined, at: At): void {
  const [batch, , width] = output?.shape ?? [];
  if (output?.shape.length === 3 && (batch === 1 || batch === -1) && (width === COLUMNS.length || width === -1)) return;
  refuse(
    at,
    `reads an output of shape [1, rows, ${COLUMNS.length}]; ${output?.name} has [${output?.shape.join(", ")}]`,
  );
}

const BLACK: ImageSpec["border"] = [0, 0, 0];

/** The image spec with its defaults, checked against the input's shape. */
export function parseImage(value: unknown, input: TensorSpec, at: At): ImageSpec {
  const given = object(value, at);
  const layout = optional(own(given, "layout"), (name) => oneOf(name, ["nhwc", "nchw"] as const, under(at, "layout")));
  const channels = checkImageShape(input, layout, at);
  const stated = optional(own(given, "channels"), (count) => integer(count, under(at, "channels"), 1));
  if (stated !== undefined && stated !== channels)
    refuse(under(at, "channels"), `must be ${channels}, as in the shape of ${input.name}; it is ${stated}`);
  const numbers = (
    key: string,
    length: number,
    otherwise: number,
    read: (item: unknown, at: At) => number,
  ): number[] => {
    const items = own(given, key);
    if (items === undefined) return new Array<number>(length).fill(otherwise);
    const found = list(items, under(at, key)).map((item, index) => read(item, under(under(at, key), index)));
    return found.length === length
      ? found
      : refuse(under(at, key), `must have ${length} numbers, it has ${found.length}`);
  };
  return compact({
    layout,
    channels: stated === undefined ? undefined : channels,
    fit:
      optional(own(given, "fit"), (fit) => oneOf(fit, ["contain", "cover", "stretch"] as const, under(at, "fit"))) ??
      "contain",
    border: own(given, "border") === undefined ? [...BLACK] : (numbers("border", 3, 0, pixel) as ImageSpec["border"]),
    scale: optional(own(given, "scale"), (scale) => finite(scale, under(at, "scale"))) ?? 1,
    mean: numbers("mean", channels, 0, (mean, where) => finite(mean, where)),
    std: numbers("std", channels, 1, divisor),
  });
}

/** Returns the number of channels. */
function checkImageShape(input: TensorSpec, layout: ImageSpec["layout"], at: At): 1 | 3 | 4 {
  const { name, dtype, shape } = input;
  const has = `${name} has [${shape.join(", ")}]`;
  const [batch, a = -1, b = -1, c = -1] = shape;
  const [channels, height, width] = layout === "nchw" ? [a, b, c] : [c, a, b];
  if (shape.length !== 4 || !isChannels(channels)) {
    const order = layout === "nchw" ? "[batch, 1, 3 or 4, height, width]" : "[batch, height, width, 1, 3 or 4]";
    const hint = shape.length === 4 && layout !== "nchw" && isChannels(a) ? '; set "layout": "nchw"' : "";
    return refuse(at, `needs an input of shape ${order}, ${has}${hint}`);
  }
  // Both open: images keep their size. An input of height or width 0 takes none.
  if (height * width < 1) refuse(at, `needs an input whose height and width are both fixed or both open, ${has}`);
  if (batch !== 1 && batch !== -1) refuse(at, `needs an input of batch 1 or -1, ${name} has ${batch}`);
  if (dtype === "bool") refuse(at, `needs an input of dtype float32 or int32, ${name} has ${dtype}`);
  return channels;
}

const isChannels = (size: number): size is 1 | 3 | 4 => size === 1 || size === 3 || size === 4;

const pixel = (value: unknown, at: At): number => finite(value, at, 0, 255);

function divisor(value: unknown, at: At): number {
  return finite(value, at) || refuse(at, "must not be 0, pixels are divided by it");
}
