// Starts the page Recognise: connects the models to the pictures, the camera, the digit pad and the panels.
import type { LoadProgress, ModelInfo } from "insitu";
import { connectBackendChoice } from "./backend-choice.js";
import { connectCamera } from "./camera.js";
import { connectCheck } from "./check.js";
import { connectCode } from "./code.js";
import { readConfig } from "./config.js";
import { connectDigits } from "./digits.js";
import { type Choice, type Engine, openEngine } from "./engine.js";
import { showBackends, showModels } from "./facts.js";
import { hideFailure, showFailure } from "./failures.js";
import { redirectToModel } from "./model/address.js";
import { keepForOffline } from "./offline.js";
import { connectPictures } from "./pictures.js";
import { Recogniser } from "./recogniser.js";
import { connectScore } from "./score.js";
import { createStage } from "./stage.js";
import { hideProgress, say, showProgress } from "./status.js";
import { createTelemetryPanel } from "./telemetry.js";

redirectToModel();
const config = await readConfig();
const panel = createTelemetryPanel(config.collector);
const stage = createStage();
const score = connectScore((minScore) => {
  recogniser.setMinScore(minScore);
  code.show(choice.current, minScore);
});
const recogniser = new Recogniser(stage, score.current, panel.refresh);
const camera = connectCamera(stage, recogniser, () => pictures.none());
const digits = connectDigits(panel.refresh);
const check = connectCheck(panel.refresh);
const pictures = connectPictures((picture) => {
  camera.stop();
  choice.follow(recogniser.recognise(picture));
});
const code = connectCode();
const choice = connectBackendChoice(open);

let engine: Engine | undefined;

function open(chosen: Choice): void {
  hideFailure();
  say("Loading the model.");
  const sizes = new Map<string, number>();
  const mine = openEngine({
    choice: chosen,
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
  choice.follow(recogniser.use(mine.objects));
  digits.use(mine.digits);
  check.use(mine.digits);
  panel.use(mine.client);
  void previous?.client.dispose();
  code.show(chosen, score.current);
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
      choice.refuse(error);
      showFailure(error);
    }
  }
  hideProgress();
  panel.refresh();
}

open(choice.current);
pictures.first();
keepForOffline();
if (engine) await choice.check(engine.client).catch(showFailure);
