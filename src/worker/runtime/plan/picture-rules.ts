// What the arguments of products of matrices, convolutions, pools and resizes must be.
import { equals, isShape, product, type Rule, when } from "./kernel-rules.js";

/** Filters, strides, paddings and dilations above it are in no model, and the products of two of them must fit into 32 bits. */
const MAX_WINDOW = 4_096;
/** Pointers that a kernel keeps for its windows: 256 MiB of memory. */
const MAX_POINTERS = 2 ** 26;

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
