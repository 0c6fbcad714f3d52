// The file that holds what a model needs when it is opened for the first time, and the reading of channels. The worker imports it then.
export { cryptoFile } from "./lib/crypto-file.js";
export { VERSION } from "./lib/version.js";
export { noteRollout, readChannel } from "./package/channel.js";
export { downloadChunks } from "./package/download/download.js";
export { parseSelfTestInput, parseSelfTestOutputs } from "./package/self-test-files.js";
export { createPackageWriter } from "./package/store/package-writer.js";
export { createWriteBehind } from "./package/store/write-behind.js";
export { beginRewrite } from "./runtime/graph/begin-rewrite.js";
export { checkPlan } from "./runtime/plan/check-plan.js";
export { readPlan } from "./runtime/plan/plan-text.js";
export { verifySession } from "./runtime/session/verify-session.js";
export { autotune } from "./runtime/tuning/autotune.js";
export { recheck } from "./runtime/tuning/recheck.js";
