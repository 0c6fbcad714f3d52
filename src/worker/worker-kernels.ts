// The file that holds the library's own kernels. The worker imports it when a model has run on its plans a few times.
export { createStepKernels } from "./runtime/plan/kernels/step-kernels.js";
export { VERSION } from "./version.js";
