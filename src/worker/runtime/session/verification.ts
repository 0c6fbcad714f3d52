// The code that compares a session's outputs with the package's, which the first visit of a model needs.
import { lateCode } from "../../lib/late-code.js";
import type { verifySession } from "./verify-session.js";

export const verification = lateCode<{ verifySession: typeof verifySession }>();
