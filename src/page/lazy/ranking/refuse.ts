// How this room fails: by a function that is handed in, so that its file in dist/ needs nothing of the page's own.
import type { ErrorCode, ErrorData } from "../../../shared/errors.js";

/** Throws the library's error with this code. */
export type Refuse = (code: ErrorCode, message: string, data?: ErrorData, cause?: unknown) => never;
