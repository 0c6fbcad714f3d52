// Answers predictions, which come without comlink: those that end together are answered in one message.
import type { Endpoint } from "comlink";
import { InsituError, toWire } from "../shared/errors.js";
import type { Host, PredictAnswer, PredictAnswers, PredictCall } from "../shared/protocol.js";

/** `host` checks the arguments of its calls. */
export function answerPredictions(host: Pick<Host, "predict">, endpoint: Endpoint): void {
  let ended: PredictAnswer[] = [];

  const post = (answers: PredictAnswer[]) =>
    endpoint.postMessage({ insitu: "predicted", answers } satisfies PredictAnswers);
  const flush = () => {
    const answers = ended;
    ended = [];
    try {
      post(answers);
    } catch {
      // One of them cannot be copied, and none was sent.
      for (const answer of answers) postAlone(answer);
    }
  };
  const postAlone = (answer: PredictAnswer) => {
    try {
      post([answer]);
    } catch (error) {
      const wire = toWire(new InsituError("unknown", "The result cannot be sent to the page.", {}, { cause: error }));
      post([{ call: answer.call, error: wire }]);
    }
  };
  const answer = async (given: PredictCall): Promise<void> => {
    const [call] = given;
    const settled = await predicted(host, given);
    // In a later microtask: the other predictions of the batch end in this one.
    if (ended.push({ call, ...settled }) === 1) queueMicrotask(flush);
  };

  endpoint.addEventListener("message", (event) => {
    for (const call of callsOf((event as MessageEvent<unknown>).data)) void answer(call);
  });
}

/** Never rejects. */
async function predicted(host: Pick<Host, "predict">, call: PredictCall) {
  try {
    return { value: await host.predict(...call) };
  } catch (error) {
    return { error: toWire(error) };
  }
}

/** Calls without a number cannot be answered, and go no further. */
function callsOf(data: unknown): PredictCall[] {
  const { insitu, calls } = Object(data) as { insitu?: unknown; calls?: unknown };
  if (insitu !== "predict" || !Array.isArray(calls)) return [];
  return calls.filter((call): call is PredictCall => Array.isArray(call) && typeof call[0] === "number");
}
