// What the page's half holds of personal models until they are asked for: it fetches the rest, and sends requests to the worker.
import { type Remote, transfer } from "comlink";
import { asInsituError, fromWire, InsituError, isInsituError } from "./errors.js";
import type { Crossing } from "./input.js";
import type { Limits } from "./limits.js";
import type { MonitorModule } from "./monitor-handle.js";
import type { PersonalizeOptions, RetrainEvent, TrainingProgress } from "./personal-types.js";
import type { Asked, Host, HostPrediction, PersonalAnswers, PersonalRequest } from "./protocol.js";
import type { AskOptions, PersonalModel } from "./teach/personal-model.js";
import type { TelemetryHandle } from "./telemetry-handle.js";
import type { ModelInfo, PredictInput, Timings } from "./types.js";

/** Whether this user agrees to being learned from. */
export interface ConsentGate {
  /** Throws `aborted` where consent was denied. */
  assert(): void;
}

/** Asks a worker that has the model. */
export type AskModel = <T>(
  limits: Limits,
  input: PredictInput | undefined,
  request: (host: Remote<Host>, call: number, handle: number, crossed: Crossing | undefined) => Promise<T>,
) => Promise<T>;

export interface PersonalHandleParts {
  info: ModelInfo;
  askModel: AskModel;
  /** Hears of trainings by the number of their call, until the answer is called. */
  onTraining(call: number, listener: (progress: TrainingProgress) => void): () => void;
  monitoring: MonitorModule | undefined;
  storeName: string;
  telemetry: TelemetryHandle;
  consent: ConsentGate;
  toTimings(measured: HostPrediction["timings"], total: number): Timings;
  randomId(): string;
  isBusy(): boolean;
  retrain(event: RetrainEvent): void;
}

// In a message, a file's name and a lock's name.
const MOST_NAME = 100;

export function createPersonalHandle(parts: PersonalHandleParts) {
  const { info, askModel, onTraining, consent, monitoring, storeName } = parts;
  const opened: PersonalModel[] = [];

  return {
    async personalize(name: string, options: PersonalizeOptions = {}): Promise<PersonalModel> {
      if (typeof name !== "string" || name === "" || name.length > MOST_NAME) {
        const message = `The personal model's name is ${JSON.stringify(name)}; pass a text of 1 to ${MOST_NAME} characters.`;
        throw new InsituError("input_invalid", message, { name });
      }
      const { createPersonalModel } = await import("./teach/personal-model.js").catch((error: unknown) => {
        throw asInsituError(error, "network", "The part of the library for personal models could not be fetched");
      });
      const model = createPersonalModel({
        ...{ ...parts, ...options, name, model: info.name },
        ask<K extends PersonalRequest["kind"]>(request: Asked<K>, what: string, options: AskOptions) {
          const { input, onTraining: listener, ...limits } = options;
          let quiet: (() => void) | undefined;
          return askModel<PersonalAnswers[K]>(
            { ...limits, what: `${what} ${name}` },
            input,
            (host, call, handle, crossed) => {
              if (listener) quiet = onTraining(call, listener);
              const full = { ...request, ...(crossed && { input: crossed.input }) } as PersonalRequest;
              return host.personal(call, handle, name, transfer(full, crossed?.transfer ?? [])) as Promise<
                PersonalAnswers[K]
              >;
            },
          ).finally(() => quiet?.());
        },
        refuse(code, message, data) {
          throw new InsituError(code, message, data);
        },
        codeOf: (error) => (isInsituError(error) ? error.code : "_OTHER"),
        revive: (error) => fromWire(error) as InsituError,
        assertConsent: consent.assert,
        monitor: monitoring?.createMonitor(`${info.name}/${name}`, storeName),
        onFired: (fired) => parts.retrain({ ...fired, personal: name }),
      });
      opened.push(model);
      return model;
    },
    /** Ends the triggers of all of them. */
    dispose: async () => void (await Promise.all(opened.splice(0).map((model) => model.dispose()))),
  };
}
