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
/** Kernels keep as many floats on their stack. */
const MAX_CHANNELS = 65_536;

export const product = (sides: number[]): number => sides.reduce((size, side) => size * side, 1);
export const when = (fits: boolean, work: number) => (fits ? work : undefined);
export const isShape = (shape: number[] | undefined, rank: number | undefined, size: number | undefined): boolean =>
  shape !== undefined && shape.length === rank && rank <= MAX_RANK && product(shape) === size;
const stridesOf = (shape: number[]): number[] => shape.slice(1).map((_, axis) => product(shape.slice(axis + 1)));
export const equals = (one: number[] | undefined, other: number[]): boolean => one?.join() === other.join();

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
  n: [block = 0, isLast, count, rank],
  s: [strides, shape = [], outStrides],
}) => {
  // biome-ignore format: one line
  const [batch = 0, height = 0, width = 0, depth = 0] = shape;
  const from = [batch, height / block, width / block, depth * block * block];
  const fits = rank === 4 && count === 3 && isShape(shape, 4, out) && isLast === 1 && isWhole(from) && x === out;
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
