// Makes a model's graph cheaper to run without changing its outputs.
import { prune } from "./prune.js";
import { cancelTransposes } from "./rules/cancel-transposes.js";
import { dropIdentities } from "./rules/drop-identities.js";
import { foldBatchNorm } from "./rules/fold-batch-norm.js";
import { foldConstants } from "./rules/fold-constants.js";
import { foldFactors, foldFactorsBefore } from "./rules/fold-factors.js";
import { foldPads } from "./rules/fold-pads.js";
import { fuseActivation, fuseBias } from "./rules/fuse.js";
import { fuseHardSwish } from "./rules/fuse-hard-swish.js";
import { gatherEarlier } from "./rules/gather-earlier.js";
import { interleave } from "./rules/interleave.js";
import { keepPeaks } from "./rules/keep-peaks.js";
import { mergeReshapes } from "./rules/merge-reshapes.js";
import { addPairs, moveBiases } from "./rules/move-biases.js";
import { recogniseActivations } from "./rules/recognise-activations.js";
import { resizeLater } from "./rules/resize-later.js";
import { squeezeExciteMean } from "./rules/squeeze-excite-mean.js";
import type { Constant, Graph, GraphNode } from "./types.js";
import { applyRule, type Rule, type Work, workOf } from "./view.js";

export interface Rewritten {
  nodes: GraphNode[];
  /** New constants by node name. The model's own constants keep their values. */
  constants: Map<string, Constant>;
  /** Weights of the model that no node reads any more. */
  unused: Set<string>;
  /** How often each rewrite applied. */
  applied: Record<string, number>;
}

/** What runs, and what is stored of it. */
export type RewrittenGraph = Omit<Rewritten, "applied">;

// Every order gives a correct graph. This one needs few rounds, and fuses before `resizeLater` separates nodes.
const RULES: Rule[] = [
  foldConstants,
  dropIdentities,
  cancelTransposes,
  mergeReshapes,
  recogniseActivations,
  foldFactors,
  foldFactorsBefore,
  foldBatchNorm,
  foldPads,
  moveBiases,
  fuseBias,
  fuseHardSwish,
  fuseActivation,
  keepPeaks,
  resizeLater,
  gatherEarlier,
  interleave,
  squeezeExciteMean,
  addPairs,
];
/** Each round shortens a chain by at least one node. Real models need about five rounds; the limit is for malicious ones. */

const ROUNDS = 20;

export function rewrite(graph: Graph, values: Map<string, Constant>): Rewritten {
  const applied: Record<string, number> = {};
  if (graph.nodes.some(isControlFlow)) return { nodes: graph.nodes, constants: new Map(), unused: new Set(), applied };
  const count = (name: string, result: { work: Work; count: number }): Work => {
    if (result.count > 0) applied[name] = (applied[name] ?? 0) + result.count;
    return result.work;
  };
  let work = count("prune", prune(workOf(graph, values)));
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = work;
    for (const rule of RULES) work = count(rule.name, applyRule(work, rule));
    // A node without a reader still counts as a reader of its inputs, which blocks rules that need a single reader.
    if (work !== before) work = prune(work).work;
    else break;
  }
  const names = new Set(work.nodes.map(({ name }) => name));
  const constants = new Map([...work.values].filter(([name]) => names.has(name) && !graph.weights.has(name)));
  return {
    nodes: [...work.nodes],
    constants,
    unused: new Set([...graph.weights.keys()].filter((name) => !names.has(name))),
    applied,
  };
}

const CONTROL_FLOW =
  /^(Switch|Merge|Enter|Exit|NextIteration|LoopCond|(Stateless)?(If|While|Case)|(Stateful)?PartitionedCall|TensorArray.*|TensorList.*|.*HashTable.*|LookupTable.*)$/;

/** With loops and branches the edges alone do not determine the order and the number of runs of a node. */
function isControlFlow({ op }: GraphNode): boolean {
  return CONTROL_FLOW.test(op);
}
