// Random small graphs of the operations that the rewrites match, with bounded values.
import fc from "fast-check";
import { noise } from "./graph-models.js";
import { convolution, input, ints, list, node, type Part, scalar, string, weight } from "./handmade.js";

/** A step of a graph under construction: what it does, to which of the images so far, with which choices. */
interface Step {
  kind: (typeof KINDS)[number];
  from: number;
  other: number;
  choice: number;
}

// What most patterns begin with comes most often.
const KINDS = [
  ...["conv", "conv", "depthwise", "bias", "turn"],
  ...[
    "conv",
    "depthwise",
    "up",
    "bias",
    "factor",
    "norm",
    "relu",
    "relu6",
    "leaky",
    "sigmoid",
    "low",
    "high",
    "identity",
  ],
  ...["hardSwish", "gate", "residual", "mean", "resize", "pad", "turn", "reshape", "shift"],
] as const;

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    kind: fc.constantFrom(...KINDS),
    from: fc.constantFrom(0, 0, 0, 0, 0, 1, 2),
    other: fc.nat(9),
    choice: fc.nat(7),
  }),
  { minLength: 2, maxLength: 12 },
);

interface Image {
  name: string;
  shape: [number, number, number, number];
}

/** The graph, and its outputs: the last image, and those that `kept` picks. */
export function randomGraph(plan: Step[], kept: number[]): { parts: Part[]; outputs: string[] } {
  const parts: Part[] = [
    input("x", [1, 6, 6, 4]),
    scalar("zero", 0),
    scalar("six", 6),
    scalar("three", 3),
    scalar("sixth", 1 / 6),
  ];
  const images: Image[] = [{ name: "x", shape: [1, 6, 6, 4] }];
  for (const [at, step] of plan.entries()) {
    // Mostly the newest image, so that chains grow.
    const from = images.at(-1 - step.from) ?? (images.at(-1) as Image);
    const made = add(parts, `n${at}`, from, step, images);
    if (made) images.push(made);
  }
  const last = images.at(-1) as Image;
  const outputs = [...new Set([last.name, ...kept.map((index) => (images[index % images.length] as Image).name)])];
  return { parts, outputs: outputs.filter((name) => name !== "x") };
}

function small(name: string, shape: number[], bound: number, from = -bound): Part {
  return weight(name, shape, noise(shape, from, bound).values as Float32Array);
}

function add(
  parts: Part[],
  name: string,
  { name: from, shape }: Image,
  { kind, other, choice }: Step,
  images: Image[],
): Image | undefined {
  const [batch, height, width, channels] = shape;
  const [even, window] = [choice % 2 === 0, choice % 3 === 0 ? 3 : 1];
  const same = (...more: Part[]): Image => {
    parts.push(...more);
    return { name, shape };
  };
  const per = even ? [channels] : choice % 3 === 0 ? [1, 1, 1, channels] : [];
  const side = `${name}_w`;
  switch (kind) {
    case "conv":
    case "depthwise": {
      if (height < window || width < window) return undefined;
      const stride = choice === 6 ? 2 : 1;
      const attr = { strides: list(1, stride, stride, 1), padding: string(even ? "SAME" : "VALID") };
      const last = kind === "conv" ? 2 + (choice % 3) : 1 + (choice % 2);
      const kernel = [window, window, channels, last];
      parts.push(small(side, kernel, 1 / (window * window * (kind === "conv" ? channels : 1))));
      parts.push(convolution(name, [from, side], attr, kind === "conv" ? "Conv2D" : "DepthwiseConv2dNative"));
      const along = (length: number) => Math.ceil((even ? length : length - window + 1) / stride);
      return { name, shape: [batch, along(height), along(width), kind === "conv" ? last : channels * last] };
    }
    case "up": {
      if (height > 8) return undefined;
      const to = [batch, height * 2, width * 2, 2] as Image["shape"];
      parts.push(small(side, [2, 2, 2, channels], 1 / channels), ints(`${name}_to`, ...to));
      parts.push(convolution(name, [`${name}_to`, side, from], { strides: list(1, 2, 2, 1) }, "Conv2DBackpropInput"));
      return { name, shape: to };
    }
    case "bias":
      return same(
        small(side, per, 1),
        node(name, choice > 5 ? "Sub" : "AddV2", choice === 1 ? [side, from] : [from, side]),
      );
    case "factor":
      return same(small(side, per, 1, 0.2), node(name, "Mul", choice === 1 ? [side, from] : [from, side]));
    case "norm": {
      const names = ["scale", "offset", "mean", "variance"].map((part) => `${name}_${part}`);
      parts.push(...names.map((each, index) => small(each, [channels], 1, index === 3 ? 0.5 : -1)));
      return same(node(name, "FusedBatchNormV3", [from, ...names], { epsilon: { f: 0.001 } }));
    }
    case "relu":
      return same(node(name, "Relu", [from]));
    case "relu6":
      return same(node(name, "Relu6", [from]));
    case "leaky":
      return same(node(name, "LeakyRelu", [from], { alpha: { f: 0.1 } }));
    case "sigmoid":
      return same(node(name, "Sigmoid", [from]));
    case "low":
      return same(node(name, "Maximum", even ? [from, "zero"] : ["zero", from]));
    case "high":
      return same(node(name, "Minimum", even ? [from, "six"] : ["six", from]));
    case "identity":
      return same(node(name, "Identity", [from]));
    case "shift":
      return same(node(name, "AddV2", [from, "three"]));
    case "hardSwish":
      return same(
        ...[node(`${name}_3`, "AddV2", [from, "three"]), node(`${name}_6`, "Relu6", [`${name}_3`])],
        ...[node(`${name}_m`, "Mul", even ? ["sixth", from] : [`${name}_6`, "sixth"])],
        node(name, "Mul", even ? [`${name}_m`, `${name}_6`] : [from, `${name}_m`]),
      );
    case "gate":
      return same(node(`${name}_g`, "Sigmoid", [from]), node(name, "Mul", [from, `${name}_g`]));
    case "residual": {
      const fits = images.filter((image) => image.shape.join() === shape.join());
      const second = fits[other % fits.length] as Image;
      const half = [scalar(`${name}_h`, 0.5), node(name, "Mul", [`${name}_s`, `${name}_h`])];
      const sum = even
        ? node(`${name}_s`, "AddN", [from, second.name], { N: { i: "2" } })
        : node(`${name}_s`, "AddV2", [second.name, from]);
      return same(sum, ...half);
    }
    case "mean":
      parts.push(ints(side, 1, 2), node(name, "Mean", [from, side], { keep_dims: { b: true } }));
      return { name, shape: [batch, 1, 1, channels] };
    case "resize": {
      const to = [height + choice, Math.min(width * 2, 12)] as const;
      const op = even ? "ResizeBilinear" : "ResizeNearestNeighbor";
      parts.push(ints(side, ...to), node(name, op, [from, side], { half_pixel_centers: { b: choice > 3 } }));
      return { name, shape: [batch, to[0], to[1], channels] };
    }
    case "pad":
      parts.push(weight(side, [4, 2], [0, 0, 1, choice % 3, 0, 1, 0, 0], "int32"), node(name, "Pad", [from, side]));
      return { name, shape: [batch, height + 1 + (choice % 3), width + 1, channels] };
    case "turn":
      parts.push(ints(side, 0, 2, 1, 3), node(name, "Transpose", [from, side]));
      return { name, shape: [batch, width, height, channels] };
    case "reshape":
      parts.push(ints(side, batch, width, height, channels), node(name, "Reshape", [from, side]));
      return { name, shape: [batch, width, height, channels] };
  }
}
