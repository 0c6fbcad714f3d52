// Lets only well-formed requests for the host's own methods through; what else arrives in the worker goes no further.
import type { Endpoint } from "comlink";
import { InsituError } from "../shared/errors.js";
import { parseUrl } from "../shared/parse-url.js";
import type { Host, PersonalArguments, PersonalMethod } from "../shared/protocol.js";

type Check = (value: unknown) => boolean;

const isNumber: Check = (value) => typeof value === "number";
const isFlag: Check = (value) => typeof value === "boolean";
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
const isFunction: Check = (value) => typeof value === "function";
/** The page checks that the scheme is http, https or its own, which a worker that runs from a Blob does not know. */
const isUrl: Check = (value) =>
  typeof value === "string" && /^(?!file:)[a-z][a-z\d+.-]*:\/\//i.test(value) && parseUrl(value) !== undefined;
const isNumbers: Check = (value) =>
  value instanceof Float32Array || value instanceof Int32Array || value instanceof Uint8Array;
const isPriority: Check = (value) => [undefined, "high", "normal", "low"].includes(value as undefined);

const isInput: Check = (value) => {
  if (!isRecord(value)) return false;
  if (value.kind === "image") return isWireImage(value);
  if (value.kind === "tensor") return isNumbers(value.data);
  if (value.kind !== "tensors" || !isRecord(value.data)) return false;
  return Object.values(value.data).every((item) => isNumbers(item) || isWireImage(item));
};

const isWireImage: Check = (value) =>
  isRecord(value) && isPicture(value.image) && isMaybe(isText)(value.base) && isMaybe(isSize)(value.size);

const isSize: Check = (value) =>
  isRecord(value) && [value.width, value.height].every((side) => typeof side === "number" && side > 0);

/** A URL, or an object of one of these types; by name, since a browser may lack a type. */
const isPicture: Check = (value) =>
  typeof value === "string" ||
  ["ImageBitmap", "VideoFrame", "Blob"].some((name) => {
    const Type = (globalThis as Record<string, unknown>)[name];
    return typeof Type === "function" && value instanceof Type;
  });

const isText: Check = (value) => typeof value === "string";
const isName: Check = (value) => isText(value) && value !== "";
const isMaybe =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);

/** A check for each argument of each method: the compiler demands an entry for a method that is added to the protocol. */
const PERSONAL_ARGUMENTS: { [M in PersonalMethod]: Record<keyof PersonalArguments<M>, Check> } = {
  state: {},
  addExample: { id: isText, label: isName, keep: isFlag, input: isInput },
  examples: {},
  kept: { id: isText },
  remove: { id: isMaybe(isText), label: isMaybe(isText) },
  train: { budget: isNumber, trigger: isText },
  predict: { input: isInput },
  evaluate: {},
  versions: {},
  revert: { version: isMaybe(isNumber) },
  export: { kept: isFlag },
  import: { file: (value) => value instanceof Blob },
  forget: {},
};

const isPersonalRequest: Check = (value) => {
  if (!isRecord(value) || !isRecord(value.args)) return false;
  const { method, args } = value;
  if (typeof method !== "string" || !Object.hasOwn(PERSONAL_ARGUMENTS, method)) return false;
  const checks: Record<string, Check> = PERSONAL_ARGUMENTS[method as PersonalMethod];
  return Object.entries(checks).every(([key, check]) => check(args[key]));
};

const isPredictOptions: Check = (value) =>
  isRecord(value) && isPriority(value.priority) && (value.task === undefined || isRecord(value.task));

/** The checks of each method's arguments, in their order. The page's number for the call comes first, a model's handle second. */
const ARGUMENTS: Record<keyof Host, Check[]> = {
  connect: [isRecord, isFunction],
  abort: [isNumber],
  capabilities: [isNumber],
  load: [isNumber, isUrl, isRecord],
  ping: [isNumber],
  listPersonal: [isNumber],
  forgetPersonal: [isNumber],
  listPackages: [isNumber],
  storeUsage: [isNumber],
  deletePackage: [isNumber, isUrl],
  clearStore: [isNumber],
  pinPackage: [isNumber, isUrl, isFlag],
  predict: [isNumber, isNumber, isInput, isPredictOptions],
  personal: [isNumber, isNumber, isName, isPersonalRequest],
  tuned: [isNumber, isNumber],
  stored: [isNumber, isNumber],
  unload: [isNumber, isNumber],
};

/** The same host, which answers `input_invalid` to arguments of another kind and to a second `connect`. */
export function validateHostCalls(host: Host): Host {
  let connected = false;
  const methods = Object.entries(ARGUMENTS).map(([name, checks]) => {
    const method = host[name as keyof Host] as (...given: unknown[]) => unknown;
    const guarded = (...given: unknown[]) => {
      const wrong = checks.findIndex((check, place) => !check(given[place]));
      if (wrong >= 0) throw refused(name, `argument ${wrong + 1} is of another kind`);
      if (name === "connect" && connected) throw refused(name, "it is connected");
      connected ||= name === "connect";
      return method.apply(host, given);
    };
    return [name, guarded];
  });
  return Object.freeze(Object.assign(Object.create(null), Object.fromEntries(methods)));
}

function refused(method: string, why: string): InsituError {
  return new InsituError("input_invalid", `The worker was asked to ${method}, but ${why}.`, { method });
}

/**
 * comlink walks any path of properties that a message names, up to `constructor`, sets properties on request, and an argument list that
 * is none is an uncaught error, which ends the worker.
 */
export function validateMessages(endpoint: Endpoint): Endpoint {
  return {
    postMessage: endpoint.postMessage.bind(endpoint),
    addEventListener(type, listener) {
      endpoint.addEventListener(type, (event) => {
        if (!isRequest((event as MessageEvent).data)) return;
        if ("handleEvent" in listener) listener.handleEvent(event);
        else listener(event);
      });
    },
    // Only a release needs it, and a release is not a request.
    removeEventListener: () => undefined,
  };
}

function isRequest(data: unknown): boolean {
  if (!isRecord(data)) return false;
  const { id, type, path, argumentList } = data;
  if (typeof id !== "string" || type !== "APPLY") return false;
  if (!Array.isArray(path) || path.length !== 1 || typeof path[0] !== "string") return false;
  return Object.hasOwn(ARGUMENTS, path[0]) && Array.isArray(argumentList) && argumentList.every(isArgument);
}

/** As comlink writes them: a value, or the port of a function of the page. */
function isArgument(value: unknown): boolean {
  if (!isRecord(value)) return false;
  return (
    value.type === "RAW" || (value.type === "HANDLER" && value.name === "proxy" && value.value instanceof MessagePort)
  );
}
