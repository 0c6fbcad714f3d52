// The file that holds the library's own kernels. The worker imports it when a model has run on its plans a few times.

export { VERSION } from "./lib/version.js";
export { createStepKernels } from "./runtime/plan/kernels/step-kernels.js";
