// Lets only well-formed requests for the host's own methods through; what else arrives in the worker goes no further.
import type { Endpoint } from "comlink";
import { InsituError } from "../shared/errors.js";
import { parseUrl } from "../shared/parse-url.js";
import type { Host, PersonalArguments, PersonalMethod, PersonalRequest } from "../shared/protocol.js";

type Check = (value: unknown) => boolean;

const isNumber: Check = (value) => typeof value === "number";
const isFlag: Check = (value) => typeof value === "boolean";
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
const isFunction: Check = (value) => typeof value === "function";
/** The page checks that the scheme is http, https or its own, which a worker that runs from a Blob does not know. */
const isUrl: Check = (value) =>
  typeof value === "string" && /^(?!file:)[a-z][a-z\d+.-]*:\/\//i.test(value) && parseUrl(value) !== undefined;
const isArray: Check = (value) =>
  value instanceof Float32Array || value instanceof Int32Array || value instanceof Uint8Array;
/** Without a shape, or with one, of which the runner says what is wrong. */
const isNumbers: Check = (value) =>
  isArray(value) || (isRecord(value) && isArray(value.data) && Array.isArray(value.shape));
const isPriority: Check = (value) => [undefined, "high", "normal", "low"].includes(value as undefined);

const isInput: Check = (value) => {
  if (!isRecord(value)) return false;
  if (value.kind === "image") return isWireImage(value);
  if (value.kind === "tensor") return isNumbers(value.data);
  if (value.kind !== "tensors" || !isRecord(value.data)) return false;
  return Object.values(value.data).every((item) => isNumbers(item) || isWireImage(item));
};

const isWireImage: Check = (value) =>
  isRecord(value) && isImageSource(value.image) && isMaybe(isText)(value.base) && isMaybe(isSize)(value.size);

const isSize: Check = (value) =>
  isRecord(value) && [value.width, value.height].every((side) => typeof side === "number" && side > 0);

/** A URL, pixels, or an object of one of these types; by name, since a browser may lack a type. */
const isImageSource: Check = (value) =>
  typeof value === "string" ||
  isPixels(value) ||
  ["ImageBitmap", "VideoFrame", "Blob"].some((name) => {
    const Type = (globalThis as Record<string, unknown>)[name];
    return typeof Type === "function" && value instanceof Type;
  });

const isPixels: Check = (value) => {
  if (!isRecord(value) || !isSize(value)) return false;
  const { pixels, width, height } = value as { pixels: unknown } & Record<"width" | "height", number>;
  return pixels instanceof Uint8ClampedArray && pixels.length === width * height * 4;
};

const isText: Check = (value) => typeof value === "string";
const isName: Check = (value) => isText(value) && value !== "";
const isMaybe =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);

/** A check of a value, or of each field of a record. */
type Checks = Check | { [field: string]: Checks };

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

/** The checks of each method's arguments by name, in their order. The page's number for the call comes first, a model's handle second. */
const ARGUMENTS: Record<keyof Host, Record<string, Checks>> = {
  connect: { config: isRecord, onEvent: isFunction },
  abort: { call: isNumber },
  capabilities: { call: isNumber },
  load: { call: isNumber, url: isUrl, options: isRecord },
  readChannel: { call: isNumber, url: isUrl, options: { refresh: isFlag, request: isMaybe(isRecord) } },
  noteRollout: { call: isNumber, url: isUrl, note: { kind: isText } },
  sha256: { call: isNumber, bytes: isNumbers },
  ping: { call: isNumber },
  listPersonal: { call: isNumber },
  forgetPersonal: { call: isNumber },
  listPackages: { call: isNumber },
  storeUsage: { call: isNumber },
  deletePackage: { call: isNumber, url: isUrl },
  clearStore: { call: isNumber },
  pinPackage: { call: isNumber, url: isUrl, pinned: isFlag },
  predict: {
    call: isNumber,
    model: isNumber,
    input: isInput,
    options: { priority: isPriority, task: isMaybe(isRecord), summarise: isMaybe(isFlag) },
  },
  personal: {
    call: isNumber,
    model: isNumber,
    name: isName,
    request: { method: (value) => isText(value) && Object.hasOwn(PERSONAL_ARGUMENTS, value as string), args: isRecord },
  },
  tuned: { call: isNumber, model: isNumber },
  stored: { call: isNumber, model: isNumber },
  unload: { call: isNumber, model: isNumber },
};

/** The same host, which answers `input_invalid` to arguments of another kind and to a second `connect`. */
export function validateHostCalls(host: Host): Host {
  let connected = false;
  const methods = Object.entries(ARGUMENTS).map(([name, checks]) => {
    const method = host[name as keyof Host] as (...given: unknown[]) => unknown;
    const named = Object.entries(checks);
    const guarded = (...given: unknown[]) => {
      for (const [place, [argument, check]] of named.entries()) assertValid(name, argument, given[place], check);
      if (name === "personal") assertPersonal(given[3] as PersonalRequest);
      if (name === "connect" && connected)
        throw new InsituError("input_invalid", "The worker is connected to a page already.", { method: name });
      connected ||= name === "connect";
      return method.apply(host, given);
    };
    return [name, guarded];
  });
  return Object.freeze(Object.assign(Object.create(null), Object.fromEntries(methods)));
}

function assertPersonal({ method, args }: PersonalRequest): void {
  assertValid(method, "arguments", args, PERSONAL_ARGUMENTS[method]);
}

/** Throws `input_invalid` that names the argument, or the field of it, that does not fit. */
function assertValid(method: string, name: string, value: unknown, check: Checks): void {
  if (typeof check === "function") {
    if (check(value)) return;
  } else if (isRecord(value)) {
    for (const [field, inner] of Object.entries(check)) assertValid(method, field, value[field], inner);
    return;
  }
  const shown = ["object", "function", "symbol"].includes(typeof value) && value !== null ? "" : ` (${String(value)})`;
  const message = `${method}: ${name} is not valid${shown}.`;
  throw new InsituError("input_invalid", message, { method, option: name });
}

/**
 * comlink follows any path of properties that a message names, up to `constructor`, sets properties on request, and an argument list that
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
