import { train } from "./train-tmp.js";
console.log(await train("/tmp/wt/B/.cache/digits-1", console.log));
