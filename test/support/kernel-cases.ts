// For each kernel of tfjs's wasm backend: random inputs and attributes that it takes.
import { bools, type Dice, type Drawn, floats, ints, type KernelCase } from "./kernel-dice.js";

type Maker = (dice: Dice) => KernelCase;

const table: Record<string, Maker> = {};
const each = (names: string[], make: Maker) => {
  for (const name of names) table[name] = make;
};

// ---- element by element --------------------------------------------------------------------------------------------

each(
  [
    ...["Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Elu", "Erf", "Exp", "Expm1"],
    ...["Floor", "IsFinite", "IsInf", "IsNan", "Log", "Log1p", "Neg", "Reciprocal", "Relu", "Relu6", "Round", "Rsqrt"],
    ...["Selu", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Sqrt", "Square", "Tan", "Tanh"],
  ],
  (dice) => ({ inputs: { x: floats(dice.shape()) } }),
);
each(["OnesLike", "ZerosLike", "Identity"], (dice) => ({ inputs: { x: anyType(dice, dice.shape()) } }));
each(["LogicalNot"], (dice) => ({ inputs: { x: bools(dice.shape()) } }));
each(["LeakyRelu", "Step"], (dice) => ({ inputs: { x: floats(dice.shape()) }, attrs: { alpha: dice.float(0, 1) } }));
each(["ClipByValue"], (dice) => ({
  inputs: { x: floats(dice.shape()) },
  attrs: { clipValueMin: dice.float(-3, 0), clipValueMax: dice.float(0, 3) },
}));
each(
  [
    ...["Add", "Sub", "Multiply", "RealDiv", "FloorDiv", "Maximum", "Minimum", "Mod", "Pow", "SquaredDifference"],
    ...["Atan2", "Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual"],
  ],
  (dice) => pair(dice, floats),
);
each(["LogicalAnd", "LogicalOr", "LogicalXor"], (dice) => pair(dice, bools));
each(["BitwiseAnd"], (dice) => {
  const shape = dice.shape();
  return { inputs: { a: ints(shape), b: ints(shape) } };
});
each(["Prelu"], (dice) => {
  const shape = dice.shape(2, 4);
  return { inputs: { x: floats(shape), alpha: floats(shape.slice(-1)) } };
});
each(["EluGrad"], (dice) => {
  const shape = dice.shape();
  return { inputs: { dy: floats(shape), y: floats(shape) } };
});
each(["Cast"], (dice) => ({ inputs: { x: anyType(dice, dice.shape()) }, attrs: { dtype: dice.pick(["float32", "int32", "bool"]) } })); // biome-ignore format: one line
each(["Select"], (dice) => {
  const shape = dice.shape();
  return { inputs: { condition: bools(shape), t: floats(shape), e: floats(shape) } };
});
each(["AddN"], (dice) => {
  const shape = dice.shape();
  return { inputs: list(dice.int(1, 4), () => floats(shape)), isList: true };
});

// ---- along axes ----------------------------------------------------------------------------------------------------

each(["Sum", "Mean", "Prod"], (dice) => reduced(dice, floats));
each(["All", "Any"], (dice) => reduced(dice, bools));
each(["Max", "Min"], (dice) => {
  const { inputs, attrs } = reduced(dice, floats);
  return { inputs, attrs: { ...attrs, reductionIndices: attrs?.axis } };
});
each(["ArgMax", "ArgMin"], (dice) => {
  const shape = dice.shape();
  return { inputs: { x: floats(shape) }, attrs: { axis: [dice.int(0, shape.length - 1)] } };
});
each(["Cumsum", "Cumprod"], (dice) => {
  const shape = dice.shape();
  return {
    inputs: { x: floats(shape) },
    attrs: { axis: dice.int(0, shape.length - 1), exclusive: dice.flip(), reverse: dice.flip() },
  };
});
each(["Softmax"], (dice) => {
  const shape = dice.shape();
  return { inputs: { logits: floats(shape) }, attrs: { dim: shape.length - 1 } };
});
each(["TopK"], (dice) => {
  const shape = dice.shape();
  return { inputs: { x: floats(shape) }, attrs: { k: dice.int(1, shape.at(-1) as number), sorted: true } };
});
each(["Reverse"], (dice) => {
  const shape = dice.shape();
  return { inputs: { x: floats(shape) }, attrs: { dims: dice.axes(shape.length) } };
});

// ---- shapes --------------------------------------------------------------------------------------------------------

each(["Reshape"], (dice) => {
  const shape = dice.shape();
  return { inputs: { x: anyType(dice, shape) }, attrs: { shape: dice.flip() ? [-1] : shape.toReversed() } };
});
each(["ExpandDims"], (dice) => {
  const shape = dice.shape();
  return { inputs: { input: anyType(dice, shape) }, attrs: { dim: dice.int(-shape.length - 1, shape.length) } };
});
each(["Transpose"], (dice) => {
  const shape = dice.shape(1, 5);
  return { inputs: { x: anyType(dice, shape) }, attrs: { perm: dice.shuffled(shape.length) } };
});
each(["Concat"], (dice) => {
  const shape = dice.shape(1, 5);
  const axis = dice.int(0, shape.length - 1);
  const { dtype } = anyType(dice, shape);
  const part = (): Drawn => ({ ...ofType(dtype, shape), shape: shape.with(axis, dice.int(1, 4)) });
  return { inputs: list(dice.int(1, 4), part), attrs: { axis }, isList: true };
});
each(["Pack"], (dice) => {
  const shape = dice.shape(0, 4);
  const { dtype } = anyType(dice, shape);
  const attrs = { axis: dice.int(0, shape.length) };
  return { inputs: list(dice.int(1, 4), () => ofType(dtype, shape)), attrs, isList: true };
});
each(["Unpack"], (dice) => {
  const shape = dice.shape(1, 6, 4);
  return { inputs: { value: thin(dice, shape) }, attrs: { axis: dice.int(-1, shape.length - 1) } };
});
each(["SplitV"], (dice) => {
  const shape = dice.shape(1, 6, 4);
  const axis = dice.int(0, shape.length - 1);
  const sizes = Array.from({ length: dice.int(1, 3) }, () => dice.int(1, 3));
  const whole = shape.with(
    axis,
    sizes.reduce((sum, size) => sum + size, 0),
  );
  return { inputs: { x: thin(dice, whole) }, attrs: { numOrSizeSplits: sizes, axis } };
});
each(["Slice"], (dice) => {
  const shape = dice.shape(1, 6, 4);
  const begin = shape.map((side) => dice.int(0, side - 1));
  const size = shape.map((side, axis) => dice.int(1, side - (begin[axis] as number)));
  return { inputs: { x: thin(dice, shape) }, attrs: { begin, size } };
});
each(["StridedSlice"], (dice) => {
  const shape = dice.shape(1, 4);
  const begin = shape.map((side) => dice.int(0, side - 1));
  const end = shape.map((side, axis) => dice.int((begin[axis] as number) + 1, side));
  const strides = shape.map(() => dice.pick([1, 1, 2]));
  // With steps on other axes tfjs reads beyond the tensor, on cpu too.
  const shrinkAxisMask = strides.every((step) => step === 1) ? dice.int(0, 1) : 0;
  const masks = { beginMask: 0, endMask: 0, ellipsisMask: 0, newAxisMask: 0, shrinkAxisMask };
  return { inputs: { x: floats(shape) }, attrs: { begin, end, strides, ...masks } };
});
each(["Tile"], (dice) => {
  const shape = dice.shape();
  return { inputs: { x: floats(shape) }, attrs: { reps: shape.map(() => dice.int(1, 3)) } };
});
each(["PadV2"], (dice) => {
  const shape = dice.shape();
  const paddings = shape.map(() => [dice.int(0, 2), dice.int(0, 2)]);
  return { inputs: { x: floats(shape) }, attrs: { paddings, constantValue: dice.float(-1, 1) } };
});
each(["MirrorPad"], (dice) => {
  const shape = Array.from({ length: dice.int(1, 4) }, () => dice.int(2, 5));
  const paddings = shape.map(() => [dice.int(0, 1), dice.int(0, 1)]);
  return { inputs: { x: floats(shape) }, attrs: { paddings, mode: dice.pick(["reflect", "symmetric"]) } };
});
each(["SpaceToBatchND"], (dice) => {
  const [height, width] = [dice.int(1, 3), dice.int(1, 3)];
  const attrs = { blockShape: [2, 2], paddings: [[0, 0], [0, 0]] }; // biome-ignore format: a table
  return { inputs: { x: floats([dice.int(1, 2), height * 2, width * 2, dice.int(1, 3)]) }, attrs };
});
each(["BatchToSpaceND"], (dice) => ({
  inputs: { x: floats([4 * dice.int(1, 2), dice.int(1, 3), dice.int(1, 3), dice.int(1, 3)]) },
  attrs: { blockShape: [2, 2], crops: [[0, 1], [0, 0]] }, // biome-ignore format: a table
}));
each(["DepthToSpace"], (dice) => ({
  inputs: { x: floats([dice.int(1, 2), dice.int(1, 3), dice.int(1, 3), 4 * dice.int(1, 3)]) },
  attrs: { blockSize: 2, dataFormat: "NHWC" },
}));
each(["Diag"], (dice) => ({ inputs: { x: floats(dice.shape(1, 2)) } }));

// ---- lookups -------------------------------------------------------------------------------------------------------

each(["GatherV2"], (dice) => {
  const shape = dice.shape(1, 4);
  const axis = dice.int(0, shape.length - 1);
  const indices = ints(dice.shape(1, 2), 0, (shape[axis] as number) - 1);
  return { inputs: { x: floats(shape), indices }, attrs: { axis, batchDims: 0 } };
});
each(["GatherNd"], (dice) => {
  const side = dice.int(1, 5);
  const params = [side, side, dice.int(1, 4)];
  return { inputs: { params: floats(params), indices: ints([dice.int(1, 5), dice.int(1, 2)], 0, side - 1) } };
});
each(["ScatterNd"], (dice) => {
  const [rows, width, count] = [dice.int(1, 6), dice.int(1, 4), dice.int(1, 4)];
  const inputs = { indices: ints([count, 1], 0, rows - 1), updates: floats([count, width]) };
  return { inputs, attrs: { shape: [rows, width] } };
});
each(["TensorScatterUpdate"], (dice) => {
  const [rows, width, count] = [dice.int(1, 6), dice.int(1, 4), dice.int(1, 4)];
  const inputs = { tensor: floats([rows, width]), indices: ints([count, 1], 0, rows - 1), updates: floats([count, width]) }; // biome-ignore format: one line
  return { inputs };
});
each(["SparseToDense"], (dice) => {
  const [rows, count] = [dice.int(2, 6), dice.int(1, 4)];
  const inputs = {
    sparseIndices: ints([count, 1], 0, rows - 1),
    sparseValues: floats([count]),
    defaultValue: floats([]),
  };
  return { inputs, attrs: { outputShape: [rows] } };
});
each(["OneHot"], (dice) => {
  const depth = dice.int(1, 5);
  const attrs = { depth, dtype: dice.pick(["float32", "int32"]), onValue: 1, offValue: 0 };
  return { inputs: { indices: ints(dice.shape(1, 2), 0, depth - 1) }, attrs };
});
each(["SearchSorted"], (dice) => {
  const [batch, length] = [dice.int(1, 3), dice.int(1, 5)];
  // All values of a sequence are equal, so that it is sorted.
  const inputs = { sortedSequence: floats([batch, length], 1, 1), values: floats([batch, dice.int(1, 4)]) };
  return { inputs, attrs: { side: dice.pick(["left", "right"]) } };
});
each(["Bincount"], (dice) => {
  const [size, count] = [dice.int(1, 5), dice.int(1, 6)];
  return { inputs: { x: ints([count], 0, size), weights: floats([count]) }, attrs: { size } };
});
each(["DenseBincount"], (dice) => {
  const [size, shape] = [dice.int(1, 5), dice.shape(1, 2)];
  const inputs = { x: ints(shape, 0, size), weights: floats(shape) };
  return { inputs, attrs: { size, binaryOutput: dice.flip() } };
});
each(["Multinomial"], (dice) => ({
  inputs: { logits: floats([dice.int(1, 3), dice.int(1, 5)]) },
  attrs: { numSamples: dice.int(1, 5), seed: dice.int(1, 1000), normalized: false },
}));

function anyType(dice: Dice, shape: number[]): Drawn {
  return ofType(dice.pick(["float32", "int32", "bool"]), shape);
}

function ofType(dtype: Drawn["dtype"], shape: number[]): Drawn {
  return dtype === "float32" ? floats(shape) : dtype === "int32" ? ints(shape) : bools(shape);
}

/** What slices of any number of dimensions take in a plan: those of more than four none of booleans. */
const thin = (dice: Dice, shape: number[]): Drawn =>
  shape.length > 4 ? ofType(dice.pick(["float32", "int32"]), shape) : anyType(dice, shape);

function pair(dice: Dice, drawn: (shape: number[]) => Drawn): KernelCase {
  const shape = dice.shape();
  const both = [drawn(shape), drawn(dice.narrowed(shape))];
  const [a, b] = dice.flip() ? both : both.toReversed();
  return { inputs: { a: a as Drawn, b: b as Drawn } };
}

function reduced(dice: Dice, drawn: (shape: number[]) => Drawn): KernelCase {
  const shape = dice.shape();
  return { inputs: { x: drawn(shape) }, attrs: { axis: dice.axes(shape.length), keepDims: dice.flip() } };
}

function list(length: number, make: () => Drawn): Record<string, Drawn> {
  return Object.fromEntries(Array.from({ length }, (_, index) => [`${index}`, make()]));
}

export const KERNEL_CASES: Readonly<Record<string, Maker>> = table;
