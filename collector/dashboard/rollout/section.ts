// The section of a model's rollout: versions and arms, the decision about the candidate, shadow, rollbacks, and the channel's changes.
import { createChooser } from "../chooser.js";
import { frameSectionWith, type Scene, type Section } from "../section.js";
import { createChanges } from "./changes.js";
import { createComparison } from "./comparison.js";
import { createDecision } from "./decision.js";
import { modelsIn } from "./models.js";

const NOT_ASKED = {
  data: null,
  why: "Choose the model at the top of the page: of many models only the first are asked for.",
};

export function createRollout(): Section {
  const chooser = createChooser("Model of the rollout");
  const [comparison, decision, changes] = [createComparison(), createDecision(), createChanges()];
  const elements = [...comparison.elements, ...decision.elements, ...changes.elements];
  let scene: Scene | null = null;
  const draw = () => {
    if (!scene) return;
    const { report, rollouts } = scene;
    const models = modelsIn(report, rollouts);
    const model = models[chooser.choose(models)] ?? "";
    comparison.show(report, model, scene);
    decision.show(rollouts.decisions.get(model) ?? NOT_ASKED, model, scene);
    changes.show(report, model, rollouts.changes.get(model) ?? NOT_ASKED);
  };
  chooser.onChange(draw);
  return {
    element: frameSectionWith("Rollout", chooser.element, ...elements),
    show(next) {
      scene = next;
      draw();
    },
  };
}
