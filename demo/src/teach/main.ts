// Wires the page Teach: classes and their pictures, trials, trainings, versions, and what of it may be kept.
import { createClient, type PersonalModel } from "insitu";
import { readConfig } from "../config.js";
import { byId } from "../dom.js";
import { hideFailure, showFailure } from "../failures.js";
import { keepForOffline } from "../offline.js";
import { hideProgress, say, showProgress } from "../status.js";
import { connectClasses } from "./classes.js";
import { connectPrivacy } from "./privacy.js";
import { connectTraining } from "./training.js";
import { connectTrial } from "./trial.js";

// After how many new pictures it trains by itself.
const NEW_PICTURES = 4;
const PACKAGES = ["features", "objects"];

const { collector } = await readConfig();
const asked = new URLSearchParams(location.search).get("base");
const base = PACKAGES.find((name) => name === asked) ?? "features";
const client = createClient({
  assets: { wasm: "/insitu/wasm/" },
  ...(collector && { telemetry: { endpoint: collector, service: { name: "insitu-demo", version: __VERSION__ } } }),
});

keepForOffline();

const auto = byId("auto", HTMLInputElement);
const wanted = () => (auto.checked ? { triggers: { examples: NEW_PICTURES, coolDown: 1_000 } } : {});

try {
  say("Loading the model.");
  const model = await client.load(`/models/${base}/`, { onProgress: (progress) => showProgress(base, progress) });
  hideProgress();
  let mine: PersonalModel = await model.personalize("teach", wanted());
  /** Whatever changed what was learned. */
  const refresh = async () => {
    await Promise.all([classes.show(), training.show(), privacy.show()]);
    await trial.again();
  };
  const current = () => mine;
  const classes = connectClasses(current, () => void refresh().catch(showFailure));
  const trial = connectTrial(current, classes.capture);
  const training = connectTraining(current, () => void refresh().catch(showFailure));
  const privacy = connectPrivacy(client, current, () => {
    classes.forgetPictures();
    void refresh().catch(showFailure);
  });
  auto.addEventListener("change", async () => {
    await mine.dispose();
    mine = await model.personalize("teach", wanted());
  });
  model.monitor.addEventListener("retrain", ({ detail }) => training.fired(detail));
  await refresh();
  hideFailure();
  const { examples } = await mine.state();
  say(examples > 0 ? `Ready; ${examples} pictures are taught.` : "Ready. Nothing is taught yet.");
} catch (error) {
  hideProgress();
  say("The model could not be loaded.");
  showFailure(error);
}
