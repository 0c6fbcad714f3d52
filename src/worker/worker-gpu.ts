// The file that holds the start of models on stored plans on WebGPU. The worker imports it when a model has some.

export { VERSION } from "./lib/version.js";
export { createGpuEngine } from "./runtime/plan/webgpu/gpu-engine.js";
