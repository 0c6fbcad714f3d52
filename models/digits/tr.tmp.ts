import { train } from "./train.js";
const r = await train("/tmp/probe/digits", (l) => console.log(l));
console.log(r);
