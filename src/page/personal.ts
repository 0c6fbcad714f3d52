// What the page's half holds of personal models until they are asked for: it fetches the rest, and sends requests to the worker.
import {
  asInsituError,
  type ErrorCode,
  type ErrorData,
  fromWire,
  InsituError,
  isInsituError,
} from "../shared/errors.js";
import { randomHex } from "../shared/hex.js";
import type { PersonalArguments, PersonalRequest, PersonalResults } from "../shared/protocol.js";
import { requireSecureContext } from "../shared/secure-context.js";
import type { ModelInfo } from "../shared/types/model.js";
import type { PersonalizeOptions, RetrainEvent } from "../shared/types/personal.js";
import { toWireInput } from "./input/wire-input.js";
import type { PersonalCallOptions, PersonalModel } from "./lazy/personal/personal-model.js";
import type { PersonalRanker, RankingOptions } from "./lazy/ranking/types.js";
import type { Monitoring } from "./monitor.js";
import type { LearningConsent } from "./personal-privacy.js";
import { type Predict, withTotal } from "./predict.js";
import type { TelemetryHandle } from "./telemetry.js";
import type { CallInput, ModelRpc } from "./workers/model-rpc.js";

export interface PersonalHandleDeps {
  info: ModelInfo;
  rpc: ModelRpc;
  monitoring: Monitoring;
  storeName: string;
  telemetry: TelemetryHandle;
  learning: LearningConsent;
  predict: Predict;
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
  const { info, rpc, learning, monitoring, storeName } = parts;
  const opened: (PersonalModel | PersonalRanker)[] = [];

  const openModel = async (name: string, options: PersonalizeOptions): Promise<PersonalModel> => {
    const { createPersonalModel } = await fetched(import("./lazy/personal/personal-model.js"));
    return createPersonalModel({
      ...parts,
      ...options,
      name,
      model: info.name,
      ask<K extends PersonalRequest["kind"]>(
        request: PersonalArguments<K>,
        what: string,
        options: PersonalCallOptions,
      ) {
        const { input, onTraining, ...limits } = options;
        const prepare = async (): Promise<CallInput<"personal">> => {
          if (input === undefined || input === null) return { args: [name, request as PersonalRequest] };
          const { input: wire, transfer } = await toWireInput(input, info.inputs);
          return { args: [name, { ...request, input: wire } as PersonalRequest], transfer };
        };
        return rpc.call("personal", prepare, { ...limits, what: `${what} ${name}`, onProgress: onTraining }) as Promise<
          PersonalResults[K]
        >;
      },
      toTimings: withTotal,
      randomId: randomHex,
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
      requireSecureContext("A personal model");
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
