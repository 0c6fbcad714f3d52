// The file that holds TensorFlow.js: its engine, and the training that uses its library. The worker imports it when it is wanted.

export { VERSION } from "./lib/version.js";
export { fitSoftmax } from "./personal/softmax-head.js";
export { tfjsEngine } from "./runtime/tfjs/engine.js";
