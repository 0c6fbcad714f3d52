// The kernels that a stored plan may call: the kinds of their arguments, and the rule that these must follow.

import type { Rule } from "./kernel-rules.js";
import * as rules from "./kernel-rules.js";
import * as pictures from "./picture-rules.js";

export interface Signature {
  /**
   * One letter for each argument. Tensors: `w` has four bytes for each element, `b` one, `x` any number; `o` is a `w` or absent, `i` holds
   * indices and `v` numbers that the step before has checked, `l` is a list of `w`. A capital letter is written to, `X` with as many bytes
   * for each element as the first tensor. Others: `n` is an integer, `f` is 0 or 1, `r` any number, `d` the dtype of the first tensor, `t` a table.
   */
  args: string;
  rule: Rule;
}

const UNARY = "Abs Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Elu Erf Exp Expm1 Floor Log Log1p Neg Reciprocal Relu Relu6 Round Rsqrt Selu Sign Sin Sinh Softplus Sqrt Square Tan Tanh"; // biome-ignore format: one line
const ARITHMETIC = "Add Atan2 BitwiseAnd FloorDiv Maximum Minimum Mod Multiply Pow RealDiv SquaredDifference Sub";
const COMPARISONS = "Equal Greater GreaterEqual Less LessEqual NotEqual";

const TABLE: [names: string, args: string, rule: Rule][] = [
  [UNARY, "wdW", rules.same],
  ["IsFinite IsInf IsNan", "wdB", rules.same],
  ["LogicalNot", "bdB", rules.same],
  ["Sigmoid", "wW", rules.same],
  ["ClipByValue", "wrrW", rules.same],
  ["LeakyRelu", "wdrW", rules.same],
  ["Step", "wrdW", rules.same],
  ["EluGrad", "wwW", rules.same],
  [ARITHMETIC, "wtnwtndW", rules.binary],
  [COMPARISONS, "xtnxtndB", rules.binary],
  ["LogicalAnd LogicalOr LogicalXor", "btnbtndB", rules.binary],
  ["SelectV2", "bwwnW", rules.select],
  ["Prelu", "wwW", rules.repeated],
  ["FusedBatchNorm", "wwwoorW", rules.batchNorm],
  ["AddN", "lndW", rules.addAll],
  ["Sum Prod", "wndW", rules.reduced],
  ["Max Min", "wdnW", rules.reduced],
  ["Mean", "wnW", rules.reduced],
  ["All Any", "bnB", rules.reduced],
  ["ArgMax ArgMin", "xdnnW", rules.argMax],
  ["Cumsum Cumprod", "wffnWd", rules.scan],
  ["Softmax", "wWnn", rules.softmax],
  ["TopK", "vtndnfWW", rules.topK],
  ["Transpose", "xtndXtn", rules.transpose],
  ["PadV2", "xtndttrX", rules.pad],
  ["MirrorPad", "xtndttfX", rules.mirrorPad],
  ["Tile", "xtntndX", rules.tile],
  ["Reverse", "wtntnW", rules.reverse],
  ["DepthToSpace", "wnftnttnW", rules.depthToSpace],
  ["StridedSlice", "wtntttttnW", rules.stridedSlice],
  ["Gather", "xdtnintX", rules.gather],
  ["GatherNd", "xdinnntX", rules.gatherNd],
  ["OneHot", "wnrrW", rules.oneHot],
  ["BatchMatMul", "wtnwtnffW", pictures.matMul],
  ["_FusedMatMul", "wtnwtnffnoorW", pictures.matMul],
  ["Conv2D", "wnnnwnnnnnnfnnnnnnW", pictures.convolution(false)],
  ["DepthwiseConv2dNative", "wnnnwnnnnnnfnnnnnnW", pictures.convolution(true)],
  ["FusedConv2D", "wnnnwnnonnnnfnnnnnnnorW", pictures.convolution(false)],
  ["FusedDepthwiseConv2D", "wnnnwnnonnnnfnnnnnnnorW", pictures.convolution(true)],
  ["Conv2DBackpropInput", "wwnnnnnnnnnnnnnnnnnnnnnnnnW", pictures.transposedConvolution],
  ["AvgPool", "wnnnnnnnnnnnnW", pictures.pool],
  ["MaxPool", "wnnnnnnnnnnnnnnnW", pictures.pool],
  ["ResizeBilinear ResizeNearestNeighbor", "wnnnnnnffW", pictures.resize],
  ["FlipLeftRight", "wnnnnW", pictures.flip],
];

export const SIGNATURES: ReadonlyMap<string, Signature> = new Map(
  TABLE.flatMap(([names, args, rule]) => names.split(" ").map((name) => [name, { args, rule }] as const)),
);
