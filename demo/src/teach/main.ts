// Starts the page Teach: connects its four sections to a personal model.
import { createClient, type PersonalModel } from "insitu";
import { readConfig } from "../config.js";
import { byId } from "../dom.js";
import { hideFailure, showFailure } from "../failures.js";
import { keepForOffline } from "../offline.js";
import { hideProgress, say, showProgress } from "../status.js";
import { ClassList } from "./classes.js";
import { connectPrivacy } from "./privacy.js";
import { connectTraining } from "./training.js";
import { Trial } from "./trial.js";

// Number of new pictures after which it trains automatically.
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
const triggers = () => (auto.checked ? { triggers: { examples: NEW_PICTURES, coolDown: 1_000 } } : {});

try {
  say("Loading the model.");
  const model = await client.load(`/models/${base}/`, { onProgress: (progress) => showProgress(base, progress) });
  hideProgress();
  let mine: PersonalModel = await model.personalize("teach", triggers());
  /** After any change of examples or versions. */
  const refresh = async () => {
    await Promise.all([classes.show(), training.show(), privacy.show()]);
    await trial.again();
  };
  const current = () => mine;
  const classes = new ClassList(
    current,
    () => void refresh().catch(showFailure),
    () => trial.startCamera(),
  );
  const trial = new Trial(current, (camera) => classes.setCamera(camera));
  const training = connectTraining(current, () => void refresh().catch(showFailure));
  const privacy = connectPrivacy(client, current, () => {
    classes.clear();
    void refresh().catch(showFailure);
  });
  auto.addEventListener("change", async () => {
    await mine.dispose();
    mine = await model.personalize("teach", triggers());
  });
  model.monitor.addEventListener("retrain", ({ detail }) => training.showRetrain(detail));
  await refresh();
  hideFailure();
  const { examples } = await mine.state();
  say(examples > 0 ? `Ready. There are ${examples} examples.` : "Ready. There are no examples yet.");
} catch (error) {
  hideProgress();
  say("The model could not be loaded.");
  showFailure(error);
}
