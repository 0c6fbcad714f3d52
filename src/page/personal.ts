// Opens personal models and rankers: fetches their code when they are first used, and sends their calls to the worker.
import { invalidOption } from "../shared/invalid-option.js";
import type { PersonalMethod, PersonalRequest, PersonalResult } from "../shared/protocol.js";
import { requireSecureContext } from "../shared/secure-context.js";
import type { ModelInfo } from "../shared/types/model.js";
import type { PersonalizeOptions, RetrainEvent } from "../shared/types/personal.js";
import type { PredictInput } from "./api-types.js";
import { toWireInput } from "./input/wire-input.js";
import type { PersonalCallArguments, PersonalCallOptions } from "./lazy/personal/calls.js";
import type { PersonalModel } from "./lazy/personal/types.js";
import type { PersonalRanker, RankingOptions } from "./lazy/ranking/types.js";
import { readOptions } from "./lib/check-option.js";
import { loadChunk } from "./lib/load-chunk.js";
import { type Monitoring, monitorUnavailable } from "./monitor.js";
import type { LearningConsent } from "./personal-privacy.js";
import { type Predict, withTotal } from "./predict.js";
import type { TelemetryHandle } from "./telemetry.js";
import type { LiveVersion } from "./version.js";
import type { CallInput } from "./workers/model-rpc.js";

export interface PersonalHandleDeps {
  info: ModelInfo;
  live: LiveVersion;
  monitoring: Monitoring;
  storeName: string;
  telemetry: TelemetryHandle;
  learning: LearningConsent;
  predict: Predict;
  isBusy(): boolean;
  retrain(event: RetrainEvent): void;
}

export function createPersonalHandle(deps: PersonalHandleDeps) {
  const { info, learning } = deps;
  const opened: (PersonalModel | PersonalRanker)[] = [];
  return {
    async personalize(name: string, options?: PersonalizeOptions | RankingOptions) {
      requireSecureContext("A personal model");
      // The name becomes part of messages, rows and the name of a lock.
      if (typeof name !== "string" || name === "" || name.length > 100)
        throw invalidOption("name", name, "a string of 1 to 100 characters");
      const model = await (info.task === "ranking" ? openRanker : openModel)(deps, name, readOptions(options));
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
    toTimings: withTotal,
    send: (method, args, options) => send(deps, name, method, args, options),
    assertConsent: deps.learning.assertConsent,
    monitorUnavailable: () => monitorUnavailable(monitoring),
    monitor: monitoring.module?.createMonitor(`${info.name}/${name}`, deps.storeName, true),
    onFired: (fired) => deps.retrain({ ...fired, personal: name }),
  });
}

async function openRanker(deps: PersonalHandleDeps, name: string, options: RankingOptions): Promise<PersonalRanker> {
  const { openRanker } = await loadChunk(import("./lazy/ranking/ranker.js"));
  const { assertConsent } = deps.learning;
  return openRanker({ ...deps, assertConsent, options, name, model: deps.info.name });
}

function send<M extends PersonalMethod>(
  { live, info }: PersonalHandleDeps,
  name: string,
  method: M,
  given: PersonalCallArguments<M>,
  { onTraining: onProgress, check, ...limits }: PersonalCallOptions,
): Promise<PersonalResult<M>> {
  const prepare = async (): Promise<CallInput<"personal">> => {
    const captured = "input" in given ? await toWireInput(given.input as PredictInput, info.inputs) : undefined;
    check?.();
    const request = { method, args: { ...given, ...(captured && { input: captured.input }) } } as PersonalRequest;
    return { args: [name, request], transfer: captured?.transfer };
  };
  return live.current.rpc.call("personal", prepare, {
    ...limits,
    onProgress,
    ordered: method !== "predict",
  }) as Promise<PersonalResult<M>>;
}
