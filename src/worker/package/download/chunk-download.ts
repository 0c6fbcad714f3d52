// The code that fetches chunks and stores them, which a visit needs that finds a package not stored.
import { lateCode } from "../../lib/late-code.js";
import type { createWriteBehind } from "../store/write-behind.js";
import type { downloadChunks } from "./download.js";

export const chunkDownload = lateCode<{
  downloadChunks: typeof downloadChunks;
  createWriteBehind: typeof createWriteBehind;
}>();
