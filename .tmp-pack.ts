import { packModel } from "./src/cli/pack.js";
const [model, out] = process.argv.slice(2);
const m = await packModel({ model: model!, out: out!, name: "x", force: true, selfTest: process.argv[4] ? false : undefined, onProgress: (l) => console.log(l) });
console.log(JSON.stringify(m.plans), m.files.map((f) => `${f.path} ${f.size}`).join(", "));
