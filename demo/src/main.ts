// Starts the page Recognise: connects the models to the pictures, the camera, the digit pad and the panels.
import type { Backend, LoadProgress, ModelInfo } from "insitu";
import { connectCamera } from "./camera.js";
import { connectCheck } from "./check.js";
import { readConfig } from "./config.js";
import { connectDigits } from "./digits.js";
import { byId } from "./dom.js";
import { type Choice, type Engine, openEngine } from "./engine.js";
import { showBackends, showModels } from "./facts.js";
import { hideFailure, showFailure } from "./failures.js";
import { keepForOffline } from "./offline.js";
import { connectPictures } from "./pictures.js";
import { Recogniser } from "./recogniser.js";
import { createStage } from "./stage.js";
import { hideProgress, say, showProgress } from "./status.js";
import { createTelemetryPanel } from "./telemetry.js";

const config = await readConfig();
const panel = createTelemetryPanel(config.collector);
const stage = createStage();
const recogniser = new Recogniser(stage, panel.refresh);
const camera = connectCamera(stage, recogniser, () => pictures.none());
const digits = connectDigits(panel.refresh);
const check = connectCheck(panel.refresh);
const pictures = connectPictures((picture) => {
  camera.stop();
  void recogniser.recognise(picture);
});

let engine: Engine | undefined;

function open(choice: Choice): void {
  hideFailure();
  say("Loading the model.");
  const sizes = new Map<string, number>();
  const mine = openEngine({
    choice,
    collector: config.collector,
    onProgress(model: string, progress: LoadProgress) {
      if (engine !== mine) return;
      sizes.set(model, progress.total);
      showProgress(model, progress);
    },
  });
  const previous = engine;
  engine = mine;
  // The new models are set before the old client is disposed, so that the current input is recognised again.
  recogniser.use(mine.objects);
  digits.use(mine.digits);
  check.use(mine.digits);
  panel.use(mine.client);
  void previous?.client.dispose();
  void follow(mine, sizes);
}

/** Shows the progress and result of loading, unless another backend was chosen meanwhile. */
async function follow(mine: Engine, sizes: ReadonlyMap<string, number>): Promise<void> {
  const infos: ModelInfo[] = [];
  for (const loading of [mine.objects, mine.digits]) {
    try {
      const { info } = await loading;
      if (engine !== mine) return;
      infos.push(info);
      showModels(infos, sizes);
      if (infos.length === 1) showBackends(info);
    } catch (error) {
      if (engine !== mine) return;
      // The status line is about the picture; the digit section shows its own state.
      if (loading === mine.objects) say("The model could not be loaded.");
      showFailure(error);
    }
  }
  hideProgress();
  panel.refresh();
}

const select = byId("backend", HTMLSelectElement);
const isBackend = (value: string): value is Backend => ["webgpu", "wasm", "cpu"].includes(value);
select.addEventListener("change", () => open(isBackend(select.value) ? select.value : "auto"));

open(isBackend(select.value) ? select.value : "auto");
pictures.first();
keepForOffline();
