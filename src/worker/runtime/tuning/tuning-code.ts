// The code that finds the fastest target, or checks the one that an earlier visit found: it runs after a load.
import { lateCode } from "../../lib/late-code.js";
import type { autotune } from "./autotune.js";
import type { recheck } from "./recheck.js";

export const tuningCode = lateCode<{ autotune: typeof autotune; recheck: typeof recheck }>();
