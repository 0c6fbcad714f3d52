// The code that reads self-tests, which the first visit of a model needs.
import { lateCode } from "../lib/late-code.js";
import type { parseSelfTestInput, parseSelfTestOutputs } from "./self-test-files.js";

export interface SelfTestReader {
  parseSelfTestInput: typeof parseSelfTestInput;
  parseSelfTestOutputs: typeof parseSelfTestOutputs;
}

export const selfTestReader = lateCode<SelfTestReader>();
