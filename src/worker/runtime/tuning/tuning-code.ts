// The code that finds the fastest target, which a model needs that was not measured on this device.
import { lateCode } from "../../lib/late-code.js";
import type { autotune } from "./autotune.js";

export const tuningCode = lateCode<{ autotune: typeof autotune }>("the search for the fastest target");
