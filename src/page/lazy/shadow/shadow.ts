// The shadow of a channel: creates it for the arm that the channel names, and predicts with it in a worker of its own.

import { modelRef } from "../../../shared/model-ref.js";
import { TASK_OPTIONS } from "../../../shared/types/model.js";
import type { ChannelArm } from "../../../shared/types/rollout.js";
import type { TransferableInput } from "../../input/wire-input.js";
import type { RolloutControl, Shadow, WorkOf } from "../rollout/control.js";
import { Comparisons, type ShadowModel } from "./comparisons.js";
import { type DeviceConditions, watchDevice } from "./device-conditions.js";

/** A copied input, and what the caller asked of the task. */
interface Copy extends TransferableInput {
  task: object;
}

const DEFAULT_SHARE = 0.1;
// It only ends what hangs.
const PREDICT_MS = 60_000;

export function createShadow(control: RolloutControl, workOf: WorkOf): Shadow {
  let shadow: Comparisons<Copy> | undefined;
  let key: string | undefined;
  let conditions: DeviceConditions | undefined;
  return {
    renew(running) {
      const arm = control.shadowArm();
      // A version needs no comparison with itself.
      const wanted = arm?.package === running.package ? undefined : arm;
      const next = JSON.stringify([wanted, running.package]);
      if (next === key) return;
      key = next;
      shadow?.dispose();
      conditions ??= wanted && watchDevice();
      shadow = wanted && conditions && open(control, workOf, wanted, conditions);
    },
    started(copy, options, task) {
      const end = shadow?.started(async () => ({
        ...(await copy()),
        task: Object.fromEntries(TASK_OPTIONS.map((name) => [name, options[name]])),
      }));
      return end && ((result) => end(result && { value: result.value, task, workMs: workOf(result) }));
    },
    ended: () => shadow?.ended(),
    giveUp: (problem) => shadow?.giveUp(problem),
    counts: () => shadow?.counts(),
    dispose: () => shadow?.dispose(),
  };
}

function open(
  control: RolloutControl,
  workOf: WorkOf,
  arm: ChannelArm,
  conditions: DeviceConditions,
): Comparisons<Copy> {
  return new Comparisons<Copy>({
    share: arm.share ?? DEFAULT_SHARE,
    conditions,
    // Of all models of the client: they share the processor.
    isBusy: () => control.deps.slots.some((slot) => slot.calls() > 0),
    async open(signal): Promise<ShadowModel<Copy>> {
      const { info, rpc } = await control.open(arm, signal);
      return {
        ref: modelRef(info),
        task: info.task,
        async predict({ input, transfer, task }) {
          const limits = { timeout: PREDICT_MS, what: `The shadow's prediction of ${info.name}` };
          const result = await rpc.call("predict", { args: [input, { priority: "low", task }], transfer }, limits);
          return { value: result.value, workMs: workOf(result) };
        },
        dispose: () => rpc.dispose(),
      };
    },
    free({ transfer }) {
      for (const each of transfer) (each as Partial<ImageBitmap>).close?.();
    },
    record: (comparison) => control.deps.record({ kind: "shadow", ...comparison }),
  });
}
