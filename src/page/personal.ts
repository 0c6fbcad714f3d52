// Opens personal models and rankers: fetches their code when they are first used, and sends their calls to the worker.
import { type Remote, transfer } from "comlink";
import { InsituError } from "../shared/errors.js";
import type { Host, HostPrediction, PersonalMethod, PersonalRequest, PersonalResult } from "../shared/protocol.js";
import type { ModelInfo, Prediction, PredictionTimings } from "../shared/types/model.js";
import type { PersonalizeOptions, RetrainEvent, TrainingProgress } from "../shared/types/personal.js";
import type { PredictInput, PredictOptions } from "./api-types.js";
import type { TransferableInput } from "./input/wire-input.js";
import type { PersonalCallArguments, PersonalCallOptions } from "./lazy/personal/calls.js";
import type { PersonalModel } from "./lazy/personal/types.js";
import type { PersonalRanker, RankingOptions } from "./lazy/ranking/types.js";
import { loadChunk } from "./lib/load-chunk.js";
import type { CallLimits } from "./lib/with-timeout.js";
import type { MonitorModule } from "./monitor.js";
import type { LearningConsent } from "./personal-privacy.js";
import type { TelemetryHandle } from "./telemetry.js";

/** Calls a worker that has the model; `request` receives the input as it is sent to the worker. */
export type AskModel = <T>(
  limits: CallLimits,
  input: PredictInput | null,
  request: (host: Remote<Host>, call: number, handle: number, crossed: TransferableInput | undefined) => Promise<T>,
) => Promise<T>;

export interface PersonalHandleDeps {
  info: ModelInfo;
  askModel: AskModel;
  /** Passes on the progress of the training with this call number, until the returned function is called. */
  onTraining(call: number, listener: (progress: TrainingProgress) => void): () => void;
  monitoring: MonitorModule | undefined;
  storeName: string;
  telemetry: TelemetryHandle;
  learning: LearningConsent;
  predict(input: PredictInput, options?: PredictOptions): Promise<Prediction>;
  toTimings(measured: HostPrediction["timings"], total: number): PredictionTimings;
  isBusy(): boolean;
  retrain(event: RetrainEvent): void;
}

export function createPersonalHandle(deps: PersonalHandleDeps) {
  const { info, learning } = deps;
  const opened: (PersonalModel | PersonalRanker)[] = [];
  return {
    async personalize(name: string, options: PersonalizeOptions | RankingOptions = {}) {
      // The name becomes part of messages, rows and the name of a lock.
      if (typeof name !== "string" || name === "" || name.length > 100) {
        const message = "The name of a personal model must be a string of 1 to 100 characters.";
        throw new InsituError("input_invalid", message, { name });
      }
      const model = await (info.task === "ranking" ? openRanker : openModel)(deps, name, options);
      opened.push(model);
      learning.opened(model);
      return model;
    },
    /** Stops the triggers of all of them. */
    dispose: async () => void (await Promise.all(opened.splice(0).map((model) => model.dispose()))),
  };
}

async function openModel(deps: PersonalHandleDeps, name: string, options: PersonalizeOptions): Promise<PersonalModel> {
  const { info, monitoring } = deps;
  const { createPersonalModel } = await loadChunk(import("./lazy/personal/personal-model.js"));
  return createPersonalModel({
    ...deps,
    ...options,
    name,
    model: info.name,
    send: (method, args, options) => send(deps, name, method, args, options),
    assertConsent: deps.learning.assertConsent,
    monitor: monitoring?.createMonitor(`${info.name}/${name}`, deps.storeName),
    onFired: (fired) => deps.retrain({ ...fired, personal: name }),
  });
}

async function openRanker(deps: PersonalHandleDeps, name: string, options: RankingOptions): Promise<PersonalRanker> {
  const { openRanker } = await loadChunk(import("./lazy/ranking/ranker.js"));
  const { assertConsent } = deps.learning;
  return openRanker({ ...deps, assertConsent, options, name, model: deps.info.name });
}

function send<M extends PersonalMethod>(
  { askModel, onTraining }: PersonalHandleDeps,
  name: string,
  method: M,
  { input, ...args }: PersonalCallArguments<M> & { input?: PredictInput },
  { onTraining: listener, ...limits }: PersonalCallOptions,
): Promise<PersonalResult<M>> {
  let unsubscribe: (() => void) | undefined;
  return askModel<PersonalResult<M>>(limits, input ?? null, (host, call, handle, crossed) => {
    if (listener) unsubscribe = onTraining(call, listener);
    const request = { method, args: { ...args, ...(crossed && { input: crossed.input }) } } as PersonalRequest<M>;
    return host.personal(call, handle, name, transfer(request, crossed?.transfer ?? [])) as Promise<PersonalResult<M>>;
  }).finally(() => unsubscribe?.());
}
