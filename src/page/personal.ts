// What the page's half holds of personal models until they are asked for: it fetches the rest, and sends requests to the worker.
import { type Remote, transfer } from "comlink";
import {
  asInsituError,
  type ErrorCode,
  type ErrorData,
  fromWire,
  InsituError,
  isInsituError,
} from "../shared/errors.js";
import type { Host, HostPrediction, PersonalArguments, PersonalRequest, PersonalResults } from "../shared/protocol.js";
import type { ModelInfo, Prediction, PredictionTimings } from "../shared/types/model.js";
import type { PersonalizeOptions, RetrainEvent, TrainingProgress } from "../shared/types/personal.js";
import type { PredictInput, PredictOptions } from "./api-types.js";
import type { TransferableInput } from "./input/wire-input.js";
import type { PersonalCallOptions, PersonalModel } from "./lazy/personal/personal-model.js";
import type { PersonalRanker, RankingOptions } from "./lazy/ranking/types.js";
import type { CallLimits } from "./lib/with-timeout.js";
import type { Monitoring } from "./monitor.js";
import type { LearningConsent } from "./personal-privacy.js";
import type { TelemetryHandle } from "./telemetry.js";

/** Asks a worker that has the model. */
export type AskModel = <T>(
  limits: CallLimits,
  input: PredictInput | null,
  request: (host: Remote<Host>, call: number, handle: number, crossed: TransferableInput | undefined) => Promise<T>,
) => Promise<T>;

export interface PersonalHandleDeps {
  info: ModelInfo;
  askModel: AskModel;
  /** Hears of trainings by the number of their call, until the answer is called. */
  onTraining(call: number, listener: (progress: TrainingProgress) => void): () => void;
  monitoring: Monitoring;
  storeName: string;
  telemetry: TelemetryHandle;
  learning: LearningConsent;
  predict(input: PredictInput, options?: PredictOptions): Promise<Prediction>;
  toTimings(measured: HostPrediction["timings"], total: number): PredictionTimings;
  randomId(): string;
  isBusy(): boolean;
  retrain(event: RetrainEvent): void;
}

/** Of the library. */
const fetched = <T>(part: Promise<T>): Promise<T> =>
  part.catch((error: unknown) => {
    throw asInsituError(error, "network", "A part of insitu is missing");
  });

/** For rooms whose files must not need the page's own. */
function refuse(code: ErrorCode, message: string, data?: ErrorData, cause?: unknown): never {
  throw new InsituError(code, message, data, { cause });
}

export function createPersonalHandle(parts: PersonalHandleDeps) {
  const { info, askModel, onTraining, learning, monitoring, storeName } = parts;
  const opened: (PersonalModel | PersonalRanker)[] = [];

  const openModel = async (name: string, options: PersonalizeOptions): Promise<PersonalModel> => {
    const { createPersonalModel } = await fetched(import("./lazy/personal/personal-model.js"));
    return createPersonalModel({
      ...{ ...parts, ...options, name, model: info.name },
      ask<K extends PersonalRequest["kind"]>(
        request: PersonalArguments<K>,
        what: string,
        options: PersonalCallOptions,
      ) {
        const { input, onTraining: listener, ...limits } = options;
        let quiet: (() => void) | undefined;
        return askModel<PersonalResults[K]>(
          { ...limits, what: `${what} ${name}` },
          input ?? null,
          (host, call, handle, crossed) => {
            if (listener) quiet = onTraining(call, listener);
            const full = { ...request, ...(crossed && { input: crossed.input }) } as PersonalRequest;
            return host.personal(call, handle, name, transfer(full, crossed?.transfer ?? [])) as Promise<
              PersonalResults[K]
            >;
          },
        ).finally(() => quiet?.());
      },
      refuse,
      codeOf: (error) => (isInsituError(error) ? error.code : "unknown"),
      revive: (error) => fromWire(error) as InsituError,
      assertConsent: learning.assertConsent,
      monitor: monitoring.module?.createMonitor(`${info.name}/${name}`, storeName),
      onFired: (fired) => parts.retrain({ ...fired, personal: name }),
    });
  };

  const openRanker = async (name: string, options: RankingOptions): Promise<PersonalRanker> => {
    const ranking = await fetched(import("./lazy/ranking/ranker.js"));
    return ranking.openRanker({ ...parts, mayLearn: learning.assertConsent, refuse, options, name, model: info.name });
  };

  return {
    async personalize(name: string, options: PersonalizeOptions | RankingOptions = {}) {
      // It becomes part of messages, rows and a lock's name.
      if (typeof name !== "string" || name === "" || name.length > 100) {
        refuse("input_invalid", "Pass a name of 1 to 100 characters.", { name });
      }
      const found =
        info.task === "ranking"
          ? await openRanker(name, options as RankingOptions)
          : await openModel(name, options as PersonalizeOptions);
      opened.push(found);
      learning.opened(found);
      return found;
    },
    /** Ends the triggers of all of them. */
    dispose: async () => void (await Promise.all(opened.splice(0).map((model) => model.dispose()))),
  };
}
