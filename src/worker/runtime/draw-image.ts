// Draws an image into a buffer of a GPU device as the numbers that a model reads: resized, placed on its border and normalised in one pass.
import type { DType } from "../../shared/types/tensor.js";
import type { PlacedImage } from "./image.js";

/**
 * Each pixel of the input is the mean of the image's pixels under it: samples that are two pixels apart, each the mean of four, and
 * the border's colour outside the image. Colours are premultiplied by alpha.
 */
const shader = (kind: "texture_external" | "texture_2d<f32>", sample: string) => `
struct Plan {
  size: vec2f, source: vec2f, offset: vec2f, placed: vec2f,
  channels: f32,
  border: vec4f, factor: vec4f, shift: vec4f,
}
@group(0) @binding(0) var<uniform> plan: Plan;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var between: sampler;
@group(0) @binding(3) var pixels: ${kind};

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let at = vec2f(id.xy);
  if (any(at >= plan.size)) { return; }
  let low = max(at, plan.offset);
  let high = min(at + 1.0, plan.offset + plan.placed);
  let covered = max(high - low, vec2f(0.0));
  let share = covered.x * covered.y;
  var colour = vec4f(0.0);
  if (share > 0.0) {
    let start = (low - plan.offset) / plan.placed;
    let span = covered / plan.placed;
    let taps = max(ceil(span * plan.source / 2.0), vec2f(1.0));
    for (var y = 0.5; y < taps.y; y += 1.0) {
      for (var x = 0.5; x < taps.x; x += 1.0) {
        colour += ${sample};
      }
    }
    colour = colour * (share / (taps.x * taps.y));
  }
  let rgb = (colour.rgb + plan.border.rgb * (1.0 - colour.a)) * 255.0;
  let first = u32(at.y * plan.size.x + at.x) * u32(plan.channels);
  if (plan.channels == 1.0) {
    result[first] = dot(rgb, vec3f(0.299, 0.587, 0.114)) * plan.factor.x + plan.shift.x;
    return;
  }
  let value = rgb * plan.factor.rgb + plan.shift.rgb;
  for (var channel = 0u; channel < 3u; channel += 1u) { result[first + channel] = value[channel]; }
}`;

const POINT = "start + vec2f(x, y) / taps * span";
const SHADERS = {
  frame: shader("texture_external", `textureSampleBaseClampToEdge(pixels, between, ${POINT})`),
  bitmap: shader("texture_2d<f32>", `textureSampleLevel(pixels, between, ${POINT}, 0.0)`),
} as const;

type Kind = keyof typeof SHADERS;

/** A device's pipeline for a kind of source; undefined where the device cannot read that kind. */
type Pipeline = { pipeline: GPUComputePipeline; sampler: GPUSampler; isChecked: boolean } | undefined;
const pipelines = new WeakMap<GPUDevice, Partial<Record<Kind, Promise<Pipeline>>>>();

/**
 * The buffer must hold the shape, in float32. False where the GPU cannot convert the image, so that the CPU must: the shader writes
 * float32 in `[batch, height, width, 1 or 3]` only.
 */
export async function drawImage(
  device: GPUDevice,
  placed: PlacedImage,
  shape: number[],
  dtype: DType,
  buffer: GPUBuffer,
): Promise<boolean> {
  const { source } = placed;
  if (!canDraw(placed, shape, dtype)) return false;
  if (!("format" in source)) return drawn(device, "bitmap", placed, shape, buffer);
  if (await drawn(device, "frame", placed, shape, buffer)) return true;
  // Browsers can import only frames that are on the GPU.
  const bitmap = await createImageBitmap(source);
  try {
    return await drawn(device, "bitmap", { ...placed, source: bitmap }, shape, buffer);
  } finally {
    bitmap.close();
  }
}

/** The drawing of an image as a part of a pass. */
export interface Drawing {
  /** In the task in which the pass is submitted: a frame is imported for so long only. */
  encode(pass: GPUComputePassEncoder): void;
  /** To be called once the pass was submitted, or will not be. */
  free(): void;
}

/** An image that can be drawn in a pass. `prepare` is for the task in which the pass is submitted, and throws where the image cannot be read. */
export interface Picture {
  prepare(): Drawing;
}

/**
 * As `drawImage`, within a pass of the caller's. Undefined for an image that only `drawImage` can draw, such as the device's first, whose
 * shader it checks.
 */
export async function pictureOf(
  device: GPUDevice,
  placed: PlacedImage,
  shape: number[],
  dtype: DType,
  buffer: GPUBuffer,
): Promise<Picture | undefined> {
  const known = pipelines.get(device) ?? {};
  if (!canDraw(placed, shape, dtype)) return undefined;
  const { source } = placed;
  const isFrame = "format" in source;
  const byFrame = isFrame ? await known.frame : undefined;
  if (byFrame?.isChecked) return { prepare: () => prepare(device, byFrame, "frame", placed, shape, buffer) };
  // A frame that was not tried yet.
  if (isFrame && (byFrame || !known.frame)) return undefined;
  const pipeline = await known.bitmap;
  if (!pipeline?.isChecked || isTooLarge(device, "bitmap", placed)) return undefined;
  if (!isFrame) return { prepare: () => prepare(device, pipeline, "bitmap", placed, shape, buffer) };
  const bitmap = await createImageBitmap(source);
  return {
    prepare() {
      const drawing = prepare(device, pipeline, "bitmap", { ...placed, source: bitmap }, shape, buffer);
      bitmap.close();
      return drawing;
    },
  };
}

export const canDraw = ({ image }: PlacedImage, shape: number[], dtype: DType): boolean =>
  dtype === "float32" && image.layout !== "nchw" && shape[3] !== 4;

function isTooLarge({ limits }: GPUDevice, kind: Kind, { source }: PlacedImage): boolean {
  const { width, height } = sizeOf(source);
  return kind === "bitmap" && Math.max(width, height) > limits.maxTextureDimension2D;
}

async function drawn(
  device: GPUDevice,
  kind: Kind,
  placed: PlacedImage,
  shape: number[],
  buffer: GPUBuffer,
): Promise<boolean> {
  if (isTooLarge(device, kind, placed)) return false;
  const known = pipelines.get(device) ?? {};
  pipelines.set(device, known);
  const isFirst = !known[kind];
  known[kind] ??= createPipeline(device, kind);
  const pipeline = await known[kind];
  if (!pipeline) return false;
  // WebGPU reports most failures late or never, and leaves zeros. The first run is validated, at the cost of waiting for it.
  if (isFirst) device.pushErrorScope("validation");
  let isDrawn = true;
  try {
    draw(device, pipeline, kind, placed, shape, buffer);
  } catch {
    isDrawn = false;
  }
  if (isFirst && (await device.popErrorScope())) isDrawn = false;
  if (!isDrawn) known[kind] = Promise.resolve(undefined);
  else if (isFirst) pipeline.isChecked = true;
  return isDrawn;
}

async function createPipeline(device: GPUDevice, kind: Kind): Promise<Pipeline> {
  const sampler = device.createSampler({ magFilter: "linear", minFilter: "linear" });
  const module = device.createShaderModule({ code: SHADERS[kind] });
  try {
    const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
    return { pipeline, sampler, isChecked: false };
  } catch {
    return undefined;
  }
}

function draw(device: GPUDevice, ...given: Prepared): void {
  const drawing = prepare(device, ...given);
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  drawing.encode(pass);
  pass.end();
  device.queue.submit([encoder.finish()]);
  drawing.free();
}

type Prepared = [pipeline: NonNullable<Pipeline>, kind: Kind, placed: PlacedImage, shape: number[], buffer: GPUBuffer];

function prepare(device: GPUDevice, ...[{ pipeline, sampler }, kind, placed, shape, buffer]: Prepared): Drawing {
  const [, rows = 0, columns = 0] = shape;
  const external = kind === "frame" ? device.importExternalTexture({ source: placed.source as VideoFrame }) : undefined;
  const numbers = planOf(placed, shape);
  const plan = device.createBuffer({
    size: numbers.byteLength,
    usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  });
  device.queue.writeBuffer(plan, 0, numbers);
  const texture = external ? undefined : upload(device, placed.source);
  const resources = [{ buffer: plan }, { buffer }, sampler, external ?? (texture as GPUTexture).createView()];
  const entries = resources.map((resource, binding) => ({ binding, resource }));
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  return {
    encode(pass) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(Math.ceil(columns / 8), Math.ceil(rows / 8));
    },
    free() {
      // Work that was submitted completes before these are destroyed.
      plan.destroy();
      texture?.destroy();
    },
  };
}

function sizeOf(source: ImageBitmap | VideoFrame): { width: number; height: number } {
  return "format" in source ? { width: source.displayWidth, height: source.displayHeight } : source;
}

function upload(device: GPUDevice, source: ImageBitmap | VideoFrame): GPUTexture {
  const usage = GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.COPY_DST | GPUTextureUsage.RENDER_ATTACHMENT;
  const { width, height } = sizeOf(source);
  const texture = device.createTexture({ size: [width, height], format: "rgba8unorm", usage });
  device.queue.copyExternalImageToTexture({ source }, { texture, premultipliedAlpha: true }, [width, height]);
  return texture;
}

/** The shader's `Plan` struct. */
function planOf({ source, placement, image }: PlacedImage, shape: number[]): Float32Array<ArrayBuffer> {
  const [, rows = 0, columns = 0, channels = 0] = shape;
  const size = sizeOf(source);
  const { scaleX, scaleY, offsetX, offsetY, width, height } = placement;
  const each = [0, 1, 2, 3];
  return Float32Array.from([
    ...[columns, rows, size.width, size.height, offsetX, offsetY],
    ...[width * scaleX, height * scaleY, channels, 0, 0, 0],
    ...each.map((channel) => (image.border[channel] ?? 0) / 255),
    ...each.map((channel) => image.scale / (image.std[channel] ?? 1)),
    ...each.map((channel) => -(image.mean[channel] ?? 0) / (image.std[channel] ?? 1)),
  ]);
}
