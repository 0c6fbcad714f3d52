// Which model something belongs to, out of what is known of a loaded model.
import type { ModelRef } from "./types/model.js";

export function modelRef({ name, version, release, digest, arm }: ModelRef): ModelRef {
  return { name, version, release, digest, ...(arm && { arm }) };
}
