// The code that starts the binary on several threads, which models need that were measured to be faster so.
import { lateCode } from "../../lib/late-code.js";
import type { startThreads } from "./start-threads.js";

export const threadedStart = lateCode<{ startThreads: typeof startThreads }>();
