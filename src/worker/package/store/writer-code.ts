// The code that stores packages and removes files, which a visit needs that finds a package not stored.
import { lateCode } from "../../lib/late-code.js";
import type { createPackageWriter } from "./package-writer.js";

export const writerCode = lateCode<{ createPackageWriter: typeof createPackageWriter }>();
