// Starts the page Your model: loads the package of `?model=URL` and runs it on pictures or numbers that the visitor gives.
import { createClient, type Model, type PredictInput } from "insitu";
import { clientCode, createCode } from "../code.js";
import { readConfig } from "../config.js";
import { byId, make } from "../dom.js";
import { showBackends, showModels } from "../facts.js";
import { hideFailure, showFailure } from "../failures.js";
import { keepForOffline } from "../offline.js";
import { createStage } from "../stage.js";
import { hideProgress, say, showProgress } from "../status.js";
import { noTimings, showTimings } from "../timings.js";
import { duration } from "../words.js";
import { askedModel } from "./address.js";
import { type InputField, inputField } from "./inputs.js";
import { boxesOf, showValue } from "./results.js";

const CHECK_ADDRESS = "Check the address: it must be the folder of a package, or its insitu.json.";
const WRONG_ADDRESS = {
  input_invalid: CHECK_ADDRESS,
  model_format: CHECK_ADDRESS,
  http_4xx: CHECK_ADDRESS,
  network: "Check the address, the connection, and that the host allows this page by CORS.",
};

const stage = createStage();
const value = byId("value", HTMLElement);

keepForOffline();
say("Choose a model.");
try {
  const url = askedModel();
  if (url) await open(url);
} catch (error) {
  hideProgress();
  say("The model could not be loaded.");
  showFailure(error, WRONG_ADDRESS);
}

async function open(url: URL): Promise<void> {
  byId("address", HTMLInputElement).value = url.href;
  say("Loading the model.");
  const { collector } = await readConfig();
  const client = createClient({
    assets: { wasm: "/insitu/wasm/" },
    ...(collector && { telemetry: { endpoint: collector, service: { name: "insitu-demo", version: __VERSION__ } } }),
  });
  let size = 0;
  const model = await client.load(url, {
    onProgress: (progress) => {
      size = progress.total;
      showProgress(url.pathname, progress);
    },
  });
  hideProgress();
  const { info } = model;
  showModels([info], new Map([[info.name, size]]));
  showBackends(info);
  byId("opened", HTMLElement).hidden = false;
  byId("opened-title", HTMLElement).textContent = `${info.name} ${info.version}: ${info.task}`;
  createCode(byId("model-code", HTMLElement))(codeOf(url, model));
  say(`${info.name} is loaded: ${info.task}, on ${info.backend}.`);
  connectRun(model);
}

function connectRun(model: Model): void {
  const { inputs } = model.info;
  const run = byId("run", HTMLButtonElement);
  const predict = async () => {
    hideFailure();
    run.disabled = true;
    clear();
    try {
      await show(model, fields);
    } catch (error) {
      clear();
      stage.clear();
      say("No result.");
      showFailure(error, { input_invalid: "Change the input, then try again." });
    }
    run.disabled = false;
  };
  const fields = new Map(inputs.map((spec) => [spec.name, inputField(spec, () => void predict())]));
  byId("fields", HTMLElement).replaceChildren(...[...fields.values()].map(({ element }) => element));
  byId("stage", HTMLElement).hidden = !inputs.some(({ image }) => image);
  clear();
  byId("inputs", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    void predict();
  });
}

/** Predicts, and shows the first picture with its boxes, the value and the times. */
async function show(model: Model, fields: ReadonlyMap<string, InputField>): Promise<void> {
  const given = await Promise.all([...fields].map(async ([name, field]) => [name, await field.read()] as const));
  const photo = given.map(([, input]) => input).find((input) => input instanceof Blob);
  if (photo) await stage.showPhoto(photo, "The model's input");
  const [only] = given;
  const input: PredictInput = given.length === 1 && only ? only[1] : Object.fromEntries(given);
  const prediction = await model.predict(input);
  stage.mark(boxesOf(prediction.value));
  showValue(value, prediction);
  showTimings(prediction.timings, prediction.backend);
  say(`A result in ${duration(prediction.timings.totalMs)} on ${prediction.backend}.`);
}

function clear(): void {
  stage.mark([]);
  value.replaceChildren(make("p", "hint", "No result yet."));
  noTimings();
}

function codeOf(url: URL, { info: { inputs, task } }: Model): string {
  const address = url.origin === location.origin ? url.pathname + url.search : url.href;
  const one = (image: boolean) => (image ? 'document.querySelector("img")' : "numbers");
  const [first, ...others] = inputs.map(({ name, image }) => [name, one(image !== undefined)] as const);
  const input =
    others.length === 0
      ? (first?.[1] ?? "")
      : `{ ${[first, ...others].map((each) => `${JSON.stringify(each?.[0])}: ${each?.[1]}`).join(", ")} }`;
  return `${clientCode("auto")}
const model = await client.load(${JSON.stringify(address)}, { task: "${task}" });
const { value } = await model.predict(${input});
console.log(value);
`;
}
