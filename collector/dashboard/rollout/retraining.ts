// The section of retraining: which triggers watch which model, and what was started.
import { count, moment, NONE, words } from "../format.js";
import { createTablePanel } from "../panel.js";
import { frameSection, type Section } from "../section.js";
import type { Cell } from "../table.js";
import type { Retraining } from "./data.js";

const NOTHING =
  "Retraining is not set up: start the collector with --retrain retrain.json, which names models, triggers and the webhook that is called.";
const MOST_RUNS = 50;

export function createRetraining(): Section {
  const triggers = createTablePanel({ title: "Triggers", unit: "as of the last check", wide: true }, [
    ...["Model", "Version", "Trigger", "State"].map((label) => ({ label })),
  ]);
  const runs = createTablePanel({ title: "Retraining log", unit: "the newest first", wide: true }, [
    ...["When", "Model", "Version", "Trigger", "State", "New version", "Detail"].map((label) => ({ label })),
    { label: "Attempts", figure: true },
  ]);
  return {
    element: frameSection("Retraining", triggers.element, runs.element),
    show({ rollouts: { retrain } }) {
      const all = retrain.data ?? [];
      const why = retrain.why || NOTHING;
      triggers.show(
        all.flatMap(triggerRows),
        retrain.data ? "No trigger is configured, or none was checked yet." : why,
      );
      const log = all.flatMap(({ model, runs }) => runs.map((run) => ({ model, ...run })));
      log.sort((a, b) => b.firedAt - a.firedAt);
      runs.show(log.slice(0, MOST_RUNS).map(runRow), retrain.data ? "No retraining was started yet." : why);
      runs.note(log.length > MOST_RUNS ? `The newest ${MOST_RUNS} of ${count(log.length)}.` : "");
    },
  };
}

function triggerRows({ model, version, coolsUntil, triggers }: Retraining): (Cell | string)[][] {
  return triggers.map((one) => [model, version ?? NONE, words(one.trigger), stateOf(one, coolsUntil)]);
}

const HELD_BACK: Record<string, string> = {
  running: "a run is open",
  not_recovered: "it has not recovered since it fired",
};

function stateOf({ isMet, isArmed, heldBack }: Retraining["triggers"][number], coolsUntil: number | null): string {
  const cooling = coolsUntil === null ? "cool-down" : `cool-down until ${moment(coolsUntil)}`;
  if (isMet) return heldBack ? `met, held back: ${HELD_BACK[heldBack] ?? cooling}` : "met, started";
  if (!isArmed) return "not armed until it has recovered";
  return coolsUntil === null ? "watching" : `watching, ${cooling}`;
}

function runRow(run: { model: string } & Retraining["runs"][number]): (Cell | string)[] {
  return [
    moment(run.firedAt),
    run.model,
    run.version,
    words(run.trigger),
    words(run.state),
    run.newVersion ?? NONE,
    { text: run.detail || NONE, wrap: true },
    { text: count(run.attempts.length), value: run.attempts.length },
  ];
}
