// What the arguments of each kind of kernel must be, so that it reads and writes within the tensors that it is given, and ends.

/** The arguments of a call, by kind, in their order. */
export interface Call {
  /** Sizes of the tensors, in elements; 0 for one that is optional and absent. */
  t: number[];
  /** Integers and flags. */
  n: number[];
  /** Tables of integers. */
  s: number[][];
  /** Limits that the step before has checked for the values of the index tensor. */
  limits: number[];
  /** False where the tensor at this place was used as a matrix of other sides before: kernels keep what they made of it by its id alone. */
  pin(place: number, sides: string): boolean;
}

/** About how many operations the call costs; undefined where its arguments do not fit. */
export type Rule = (call: Call) => number | undefined;

/** XNNPACK takes six, and tfjs's models have no more. */
export const MAX_RANK = 6;
/** Filters, strides, paddings and dilations above it are in no model, and the products of two of them must fit into 32 bits. */
const MAX_WINDOW = 4_096;
/** Pointers that a kernel keeps for its windows: 256 MiB of memory. */
const MAX_POINTERS = 2 ** 26;
/** Kernels keep as many floats on their stack. */
const MAX_CHANNELS = 65_536;

export const product = (sides: number[]): number => sides.reduce((size, side) => size * side, 1);
const when = (fits: boolean, work: number) => (fits ? work : undefined);
const isShape = (shape: number[] | undefined, rank: number | undefined, size: number | undefined): boolean =>
  shape !== undefined && shape.length === rank && rank <= MAX_RANK && product(shape) === size;
const stridesOf = (shape: number[]): number[] => shape.slice(1).map((_, axis) => product(shape.slice(axis + 1)));
const equals = (one: number[] | undefined, other: number[]): boolean => one?.join() === other.join();

/** The sides of the tensor that has these strides. */
function sidesOf(strides: number[], size: number): number[] {
  const all = [size, ...strides, 1];
  return strides.length === 0 ? [size] : all.slice(0, -1).map((stride, axis) => stride / (all[axis + 1] as number));
}

const isWhole = (sides: number[]): boolean => sides.every((side) => Number.isInteger(side) && side > 0);

// ---- element by element --------------------------------------------------------------------------------------------

/** All tensors have one size. */
export const same: Rule = ({ t }) =>
  when(
    t.every((size) => size === t[0]),
    (t[0] as number) * t.length,
  );

export const binary: Rule = ({ t: [a, b, out = 0], n: [aRank = 0, bRank = 0], s: [left = [], right = []] }) => {
  // Also so that the loop below ends soon.
  if (!isShape(left, aRank, a) || !isShape(right, bRank, b)) return undefined;
  const rank = Math.max(aRank, bRank);
  const side = (shape: number[], axis: number) => shape[shape.length - 1 - axis] ?? 1;
  let size = 1;
  for (let axis = 0; axis < rank; axis += 1) {
    const [one, other] = [side(left, axis), side(right, axis)];
    if (one !== other && one !== 1 && other !== 1) return undefined;
    size *= Math.max(one, other);
  }
  return when(size === out, out);
};

export const select: Rule = ({ t: [condition = 0, yes, no, out = 0], n: [offset = 0] }) =>
  when(condition * offset === out && yes === out && no === out, out);

/** The second tensor is used over and over. */
export const repeated: Rule = ({ t: [x = 0, weights = 1, out] }) => when(x === out && x % weights === 0, x);

export const batchNorm: Rule = ({ t: [x = 0, , variance = 0, , , out] }) =>
  when(x === out && variance <= MAX_CHANNELS, x * 4);

export const addAll: Rule = ({ t, n: [count] }) =>
  when(t.length === (count as number) + 1 && t.every((size) => size === t[0]), product([t.length, t[0] as number]));

// ---- along axes ----------------------------------------------------------------------------------------------------

export const reduced: Rule = ({ t: [x = 0, out = 0], n: [reduced = 0] }) => when(x === out * reduced, x);

export const softmax: Rule = ({ t: [x = 0, out], n: [channels = 0, batch = 0] }) =>
  when(x === out && x === channels * batch, x * 4);

export const argMax: Rule = ({ t: [x = 0, out], n: [outer = 0, inner = 0] }) =>
  when(x === outer * inner && out === outer, x);

export const scan: Rule = ({ t: [x = 0, out], n: [, , side = 0] }) => when(x === out && x % side === 0, x);

export const topK: Rule = ({ t: [x = 0, values, indices], n: [rank, k = 0], s: [shape = []] }) => {
  const last = shape.at(-1) ?? 0;
  const found = (x / last) * k;
  return when(isShape(shape, rank, x) && k > 0 && k <= last && values === found && indices === found, x * 32);
};

// ---- shapes --------------------------------------------------------------------------------------------------------

export const transpose: Rule = ({ t: [x = 0, out], n: [rank, length], s: [shape, order = []] }) => {
  const isOrder = order.length === rank && length === rank && new Set(order).size === rank && Math.max(...order) < rank;
  // The identity is a transposition of nothing, which the kernel does not expect.
  return when(isShape(shape, rank, x) && out === x && isOrder && order.some((axis, place) => axis !== place), x * 2);
};

/** `room` is the most of each side that may be added to it. */
const padded =
  (room: (side: number, mode: number) => number): Rule =>
  ({ t: [x = 0, out = 0], n: [rank = 0, mode = 0], s: [shape = [], before = [], after = []] }) => {
    if (!isShape(shape, rank, x) || before.length !== rank || after.length !== rank || rank === 0) return undefined;
    const fits = shape.every((side, axis) => Math.max(before[axis] as number, after[axis] as number) <= room(side, mode)); // biome-ignore format: one line
    const sides = shape.map((side, axis) => side + (before[axis] as number) + (after[axis] as number));
    return when(fits && product(sides) === out, out * 2);
  };

export const pad = padded(() => Number.POSITIVE_INFINITY);
/** Mode 0 mirrors without the edge. */
export const mirrorPad = padded((side, mode) => (mode === 0 ? side - 1 : side));

export const tile: Rule = ({ t: [x, out = 0], n: [rank, outRank], s: [shape = [], sides = []] }) =>
  when(isShape(shape, rank, x) && isShape(sides, outRank, out) && rank === outRank, out * 4);

export const reverse: Rule = ({ t: [x = 0, out], n: [count, rank = 0], s: [axes = [], shape] }) =>
  when(isShape(shape, rank, x) && out === x && axes.length === count && count <= MAX_RANK && axes.every((axis) => axis < rank), x * 4); // biome-ignore format: one line

export const depthToSpace: Rule = ({
  t: [x, out = 0],
  n: [block = 0, isLast, , rank],
  s: [strides, shape = [], outStrides],
}) => {
  // biome-ignore format: one line
  const [batch = 0, height = 0, width = 0, depth = 0] = shape;
  const from = [batch, height / block, width / block, depth * block * block];
  const fits = rank === 4 && isShape(shape, 4, out) && isLast === 1 && isWhole(from) && x === out;
  return when(fits && equals(strides, stridesOf(from)) && equals(outStrides, stridesOf(shape)), out * 4);
};

export const stridedSlice: Rule = ({ t: [x = 0, out = 0], n: [rank, outRank], s }) => {
  const [strides = [], begin = [], end = [], steps = [], shape = [], outStrides] = s;
  const sides = sidesOf(strides, x);
  const fits = rank === outRank && isShape(sides, rank, x) && isWhole(sides) && isShape(shape, rank, out);
  if (!fits || [begin, end, steps].some(({ length }) => length !== rank)) return undefined;
  const inside = sides.every((side, axis) => (begin[axis] as number) + ((shape[axis] as number) - 1) * (steps[axis] as number) < side); // biome-ignore format: one line
  return when(inside && equals(outStrides, stridesOf(shape)), out * 4);
};

// ---- lookups -------------------------------------------------------------------------------------------------------

/** Its strides are those of [batch, outer, side, slice]. */
export const gather: Rule = ({
  t: [x = 0, indices = 0, out = 0],
  n: [rank, batch = 0],
  s: [strides = [], outStrides = []],
  limits,
}) => {
  // biome-ignore format: one line
  const [batches, outer, side, slice] = sidesOf(strides, x);
  const to = sidesOf(outStrides, out);
  const fits = rank === 3 && strides.length === 3 && outStrides.length === 3 && isWhole(sidesOf(strides, x)) && isWhole(to); // biome-ignore format: one line
  const isLimited = equals(limits, [side as number]);
  return when(fits && isLimited && batches === batch && equals(to, [batch, outer as number, indices / batch, slice as number]), out * 4); // biome-ignore format: one line
};

export const gatherNd: Rule = ({
  t: [x = 0, indices, out = 0],
  n: [count = 0, rank = 0, slice = 0],
  s: [strides = []],
  limits,
}) => {
  // biome-ignore format: one line
  if (strides.length !== rank || limits.length !== rank || rank === 0 || rank > MAX_RANK) return undefined;
  const last = strides.reduce((sum, stride, axis) => sum + stride * ((limits[axis] as number) - 1), 0);
  return when(limits.every((limit) => limit > 0) && (last + 1) * slice <= x && count * rank === indices && count * slice === out, out * 4); // biome-ignore format: one line
};

export const oneHot: Rule = ({ t: [indices = 0, out = 0], n: [depth = 0] }) => when(indices * depth === out, out);

// ---- matrices and pictures -----------------------------------------------------------------------------------------

/** Prelu, the activation that has weights. */
const PRELU = 3;
const LAST_ACTIVATION = 6;

const isActivation = (activation: number, weights: number, out: number): boolean =>
  activation <= LAST_ACTIVATION && (weights > 0 ? out % weights === 0 : activation !== PRELU);

export const matMul: Rule = ({
  t,
  n: [aRank, bRank, isTurnedA, isTurnedB, activation = 0],
  s: [a = [], b = []],
  pin,
}) => {
  // biome-ignore format: one line
  const [left, right, bias, weights = 0] = t.length > 3 ? t : [...t.slice(0, 2), 0, 0];
  const out = t.at(-1) as number;
  if (!(isShape(a, 3, left) && isShape(b, 3, right) && aRank === 3 && bRank === 3)) return undefined;
  const [batchA = 0, first = 0, second = 0] = a;
  const [rows, inner] = isTurnedA ? [second, first] : [first, second];
  const [batchB = 0, from = 0, to = 0] = b;
  const batch = Math.max(batchA, batchB);
  const [other, columns] = isTurnedB ? [to, from] : [from, to];
  const isBatch = batchA === batchB || Math.min(batchA, batchB) === 1;
  const fits = isBatch && inner === other && batch * rows * columns === out && (!bias || bias === columns);
  if (!fits || !isActivation(activation, weights, out)) return undefined;
  const isPinned = isTurnedA === 1 || isTurnedB === 1 || batch > 1 || pin(1, `${from} ${to}`);
  return when(isPinned, out * inner);
};

const count = (side: number, before: number, after: number, window: number, dilation: number, stride: number): number =>
  Math.floor(Math.max(0, side + before + after - (window - 1) * dilation - 1) / stride) + 1;

const isWindow = (numbers: number[], steps: number[]): boolean =>
  Math.max(...numbers) <= MAX_WINDOW && Math.min(...steps) > 0;

/** Tensors are the input, the filter, then where it is fused the bias and the weights of the activation, and the output. */
export const convolution =
  (isDepthwise: boolean): Rule =>
  ({ t, n }) => {
    const [batch = 0, height = 0, width = 0, ...window] = n;
    const [rows = 0, columns = 0, top = 0, right = 0, bottom = 0, left = 0, isSame, ...rest] = window;
    const [down = 0, across = 0, strideDown = 0, strideAcross = 0, from = 0, to = 0, activation = 0] = rest;
    const [x, filter, bias, weights = 0] = t.length > 3 ? t : [...t.slice(0, 2), 0, 0];
    const out = t.at(-1) as number;
    const outHeight = isSame ? Math.ceil(height / strideDown) : count(height, top, bottom, rows, down, strideDown);
    const outWidth = isSame ? Math.ceil(width / strideAcross) : count(width, left, right, columns, across, strideAcross); // biome-ignore format: one line
    const perOutput = rows * columns * (isDepthwise ? 1 : from);
    const fits =
      isWindow([...window.slice(0, 6), ...rest.slice(0, 4)], [rows, columns, ...rest.slice(0, 4)]) &&
      batch * height * width * from === x &&
      perOutput * to === filter &&
      (!isDepthwise || to % from === 0) &&
      batch * outHeight * outWidth * to === out &&
      outHeight * outWidth * rows * columns <= MAX_POINTERS &&
      (!bias || bias === to);
    return when(fits && isActivation(activation, weights, out), out * perOutput);
  };

/** The transposed one, with the strides of its three pictures: the filter's without its last side, of the output, and of the input. */
export const transposedConvolution: Rule = ({ t: [x, filter, out = 0], n }) => {
  const [batch = 0, rows = 0, columns = 0, height = 0, width = 0, to = 0, fromHeight = 0, fromWidth = 0, from = 0, ...rest] = n; // biome-ignore format: one line
  const [strideDown = 0, strideAcross = 0, top = 0, left = 0, ...strides] = rest;
  const right = [
    ...[columns * to * from, to * from, from, height * width * to, width * to, to, 1],
    ...[fromHeight * fromWidth * from, fromWidth * from, from, 1],
  ];
  const fits =
    isWindow([rows, columns, strideDown, strideAcross], [rows, columns, strideDown, strideAcross]) &&
    top < rows &&
    left < columns &&
    batch * fromHeight * fromWidth * from === x &&
    rows * columns * to * from === filter &&
    batch * height * width * to === out;
  return when(fits && equals(strides, right), out * rows * columns * from);
};

export const pool: Rule = ({ t: [x, out = 0], n }) => {
  const [batch = 0, height = 0, width = 0, rows = 0, columns = 0, top = 0, right = 0, bottom = 0, left = 0, ...rest] =
    n;
  // Only the largest value is taken of pixels that lie apart.
  const [down = 0, across = 0, strideDown = 0, strideAcross = 0, from = 0, to = 0] = rest.length > 3 ? rest : [1, 1, ...rest, rest[2] as number]; // biome-ignore format: one line
  const outHeight = count(height, top, bottom, rows, down, strideDown);
  const outWidth = count(width, left, right, columns, across, strideAcross);
  const steps = [down, across, strideDown, strideAcross];
  const fits =
    isWindow([rows, columns, top, right, bottom, left, ...steps], [rows, columns, ...steps]) &&
    from === to &&
    batch * height * width * from === x &&
    batch * outHeight * outWidth * to === out &&
    outHeight * outWidth * rows * columns <= MAX_POINTERS;
  return when(fits, out * rows * columns);
};

export const resize: Rule = (
  { t: [x, out = 0], n: [batch = 0, height = 0, width = 0, channels = 0, toHeight = 0, toWidth = 0] }, // biome-ignore format: one line
) =>
  when(
    batch * height * width * channels === x &&
      batch * toHeight * toWidth * channels === out &&
      toHeight * toWidth <= MAX_POINTERS / 4,
    out * 8,
  );

export const flip: Rule = ({ t: [x, out = 0], n }) => when(product(n) === x && x === out, out * 4);
