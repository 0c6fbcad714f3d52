// The file that holds TensorFlow.js: its engine, and the training that uses its library. The worker imports it when it is wanted.
export { fitSoftmax } from "./personal/softmax-head.js";
export { tfjsEngine } from "./runtime/tfjs/engine.js";
export { VERSION } from "./version.js";
