import { drawCase, KERNELS } from "./test/support/kernel-runs.js";
import { useObservedWasm } from "./test/support/plans.js";
import { storedOf } from "./test/support/stored-plans.js";
import { GuardedRoom } from "./test/support/guarded-replay.js";
import { mutate } from "./test/support/mutate-plans.js";
import { Dice } from "./test/support/kernel-dice.js";
import { readPlan } from "./src/worker/runtime/plan/plan-text.js";
await useObservedWasm();
let t = performance.now();
const lap = (what: string) => { const n = performance.now(); console.log(what, (n - t).toFixed(1)); t = n; };
const bases: any[] = [];
for (const name of ["Add", "Conv2D", "Transpose", "Softmax", "MaxPool"]) { const { run, feeds } = drawCase(name, 5); bases.push([await storedOf(run, feeds()), feeds()]); }
lap("bases");
let room = await GuardedRoom.open(); lap("room");
room = await GuardedRoom.open(); lap("room2");
for (const [b, f] of bases) { for (let i = 0; i < 20; i++) room.run(b.stored, b.weights, f, 2); lap("20 runs"); }
const d = new Dice(3);
for (let i = 0; i < 200; i++) { const text = mutate(bases[i % 5][0].stored, d); try { readPlan(text, "x"); } catch {} } lap("200 mutate+read");
