// In Node the code that the worker imports as files of its own is imported at once.
import { cryptoFile } from "../../src/worker/lib/crypto-file.js";
import { channelCode } from "../../src/worker/package/channel-code.js";
import { chunkDownload } from "../../src/worker/package/download/chunk-download.js";
import { selfTestReader } from "../../src/worker/package/self-test-reader.js";
import { writerCode } from "../../src/worker/package/store/writer-code.js";
import { planReader } from "../../src/worker/runtime/plan/plan-reader.js";
import { verification } from "../../src/worker/runtime/session/verification.js";
import { tuningCode } from "../../src/worker/runtime/tuning/tuning-code.js";

cryptoFile.provide(() => import("../../src/worker/worker-crypto.js"));
for (const code of [channelCode, chunkDownload, writerCode, selfTestReader, planReader, tuningCode, verification])
  code.provide(() => import("../../src/worker/worker-first-visit.js"));
