// Ends loops of a graph that do not end by themselves: tfjs runs them without a pause, in which nothing could stop them.
import type { GraphModel } from "@tensorflow/tfjs-converter";
import { InsituError } from "../../../shared/errors.js";

/** Rounds of all loops in one run. A recurrent layer needs one for each step, such as 16,000 for a second of sound. */
const MAX_ROUNDS = 50_000;

type Method = (...args: unknown[]) => unknown;

/** The parts of tfjs's private `GraphExecutor` that run loops (tfjs-converter 4.22, executor/graph_executor.js). */
interface Executor {
  /** The bodies and conditions of StatelessWhile, the branches of StatelessIf. */
  functionExecutorMap: Record<string, Executor>;
  executeFunctionAsync: Method;
  /** Runs nodes until none is ready; its third argument counts the rounds of loops made of Switch and NextIteration. */
  processStack: Method;
}

/** Makes a run of the model reject with `model_too_large` after fifty thousand rounds. The result begins a run. */
export function limitLoops(model: GraphModel): () => void {
  let rounds = 0;
  const count = () => {
    rounds += 1;
    if (rounds <= MAX_ROUNDS) return;
    const message = `The model's loops went round more than ${MAX_ROUNDS} times in one run, the maximum. Convert the model again with a bound on its loops.`;
    throw new InsituError("model_too_large", message, { rounds, max: MAX_ROUNDS });
  };
  const { executor } = model as unknown as { executor: Executor };
  for (const one of [executor, ...Object.values(executor.functionExecutorMap)]) {
    const { executeFunctionAsync, processStack } = one;
    one.executeFunctionAsync = (...args) => {
      count();
      return executeFunctionAsync.apply(one, args);
    };
    one.processStack = (...args) => {
      const context = args[2] as { nextIteration: Method };
      const { nextIteration } = context;
      // Once for each context, which lasts for a run or for a call of a function.
      if (!Object.hasOwn(context, "nextIteration"))
        context.nextIteration = () => {
          count();
          return nextIteration.call(context);
        };
      return processStack.apply(one, args);
    };
  }
  return () => {
    rounds = 0;
  };
}
