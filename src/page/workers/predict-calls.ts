// Predictions on their way to one worker: those that are called at once share a message, since each message wakes the worker's thread.
import { fromWire } from "../../shared/errors.js";
import type {
  HostPrediction,
  PredictAnswer,
  PredictAnswers,
  PredictCall,
  PredictCalls,
} from "../../shared/protocol.js";

interface Outgoing {
  call: PredictCall;
  /** Moved instead of copied. */
  moved: Transferable[];
}

export interface PredictChannel {
  /** Sends the call at the end of this task. Rejects with the worker's error, or where the arguments cannot be copied. */
  send(call: PredictCall, moved: Transferable[]): Promise<HostPrediction>;
  /** Sends what waits now, so that the next message does not overtake it. */
  flush(): void;
}

export function openPredictChannel(worker: Worker): PredictChannel {
  const open = new Map<number, { resolve(value: HostPrediction): void; reject(error: unknown): void }>();
  let waiting: Outgoing[] = [];

  const post = (outgoing: Outgoing[]) => {
    const message: PredictCalls = { insitu: "predict", calls: outgoing.map(({ call }) => call) };
    worker.postMessage(
      message,
      outgoing.flatMap(({ moved }) => moved),
    );
  };
  const flush = () => {
    const outgoing = waiting;
    waiting = [];
    if (outgoing.length === 0) return;
    try {
      post(outgoing);
    } catch (error) {
      // The browser cannot copy one of them, and has sent none.
      const [only] = outgoing;
      if (only && outgoing.length === 1) take(only.call[0])?.reject(error);
      else for (const one of outgoing) postAlone(one);
    }
  };
  const postAlone = (one: Outgoing) => {
    try {
      post([one]);
    } catch (error) {
      take(one.call[0])?.reject(error);
    }
  };
  const take = (call: number) => {
    const found = open.get(call);
    open.delete(call);
    return found;
  };

  worker.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
    if (!isAnswers(data)) return;
    for (const answer of data.answers) {
      const caller = take(answer?.call);
      if (!caller) continue;
      if ("error" in answer) caller.reject(fromWire(answer.error));
      else caller.resolve(answer.value);
    }
  });
  return {
    flush,
    send: (call, moved) =>
      new Promise((resolve, reject) => {
        open.set(call[0], { resolve, reject });
        if (waiting.push({ call, moved }) === 1) queueMicrotask(flush);
      }),
  };
}

/** Of each answer only the number is looked at before it is known. */
function isAnswers(data: unknown): data is PredictAnswers & { answers: (PredictAnswer | undefined | null)[] } {
  const { insitu, answers } = Object(data) as Partial<PredictAnswers>;
  return insitu === "predicted" && Array.isArray(answers);
}
