// The file that holds the start of threads. The worker imports it when a model runs on several.

export { VERSION } from "./lib/version.js";
export { startThreads } from "./runtime/plan/start-threads.js";
