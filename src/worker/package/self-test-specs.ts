// Reads what a manifest says of its self-tests.
import { type At, finite, list, object, own, refuse, show, text, under } from "../../shared/json-fields.js";
import type { FileSpec, SelfTestSpec } from "../../shared/types/manifest.js";
import type { Backend } from "../../shared/types/tensor.js";

/** Each costs a prediction at every load. */
export const MAX_SELF_TESTS = 8;
/** A float32 image of 1024 x 1024 as base64; both files are parsed as one text. */
export const MAX_SELF_TEST_BYTES = 16 * 1024 * 1024;
/** WGSL lets a GPU fuse, reorder and approximate; between wasm and cpu seven models differed by 5e-5 at most. */
export const TOLERANCE: Record<Backend, number> = { webgpu: 1e-2, wasm: 1e-4, cpu: 1e-4 };

export function parseSelfTestSpecs(value: unknown, files: FileSpec[], at: At): SelfTestSpec[] {
  const items = list(value, at);
  if (items.length > MAX_SELF_TESTS) refuse(at, `lists ${items.length} tests, ${MAX_SELF_TESTS} is the maximum`);
  return items.map((item, index) => {
    const here = under(at, index);
    const given = object(item, here);
    return {
      input: listedFile(own(given, "input"), files, under(here, "input")),
      outputs: listedFile(own(given, "outputs"), files, under(here, "outputs")),
      tolerance: parseTolerance(own(given, "tolerance"), under(here, "tolerance")),
    };
  });
}

function listedFile(value: unknown, files: FileSpec[], at: At): string {
  const path = text(value, at);
  const file = files.find((candidate) => candidate.path === path);
  if (!file) return refuse(at, `names ${show(path)}, which files does not list. Pack the model again`);
  if (file.size > MAX_SELF_TEST_BYTES) refuse(at, `has ${file.size} bytes, ${MAX_SELF_TEST_BYTES} is the maximum`);
  return path;
}

function parseTolerance(value: unknown, at: At): Record<Backend, number> {
  const given = value === undefined ? {} : object(value, at);
  const read = (backend: Backend): number =>
    own(given, backend) === undefined
      ? TOLERANCE[backend]
      : finite(own(given, backend), under(at, backend), Number.MIN_VALUE, Number.MAX_VALUE);
  return { webgpu: read("webgpu"), wasm: read("wasm"), cpu: read("cpu") };
}
