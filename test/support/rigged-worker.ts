// A worker that hangs, throws, loses its GPU, computes NaN on wasm, traps or runs out of memory when a test asks for it.

import type { PageRunner } from "./any-browser.js";
import type { Route } from "./server.js";

/** What the worker does when it receives this name. */
export type Rig = "hang" | "throw" | "destroyDevice" | "computeNaN" | "trap" | "limitMemory" | "count";

/** The same module that the worker imports when it wants tfjs: what the rigs change must be there. */
const TFJS = 'import "/dist/engine-tfjs.js";';

const SCRIPT = `
  import "/dist/worker.js";
  TFJS
  const channel = new BroadcastChannel("rig");
  const devices = [];
  if (self.GPUAdapter && new URL(import.meta.url).searchParams.has("hardware"))
    Object.defineProperty(GPUAdapterInfo.prototype, "isFallbackAdapter", { get: () => false });
  if (self.GPUAdapter) {
    const { requestDevice } = GPUAdapter.prototype;
    GPUAdapter.prototype.requestDevice = async function (...args) {
      devices.push(await requestDevice.apply(this, args));
      return devices.at(-1);
    };
  }
  // What the library's own WebGPU plans hold and do; tfjs makes a bind group for each kernel of a run.
  let [planBuffers, groups, submits] = [0, 0, 0];
  if (self.GPUDevice) {
    const { createBuffer, createBindGroup } = GPUDevice.prototype;
    const { destroy } = GPUBuffer.prototype;
    const ofPlans = new WeakSet();
    GPUDevice.prototype.createBuffer = function (descriptor) {
      const buffer = createBuffer.call(this, descriptor);
      if (!descriptor.label?.startsWith("insitu ")) return buffer;
      ofPlans.add(buffer);
      planBuffers += 1;
      return buffer;
    };
    GPUBuffer.prototype.destroy = function () {
      if (ofPlans.delete(this)) planBuffers -= 1;
      return destroy.call(this);
    };
    GPUDevice.prototype.createBindGroup = function (descriptor) {
      groups += 1;
      return createBindGroup.call(this, descriptor);
    };
    const { submit } = GPUQueue.prototype;
    GPUQueue.prototype.submit = function (...commands) {
      submits += 1;
      return submit.apply(this, commands);
    };
  }
  // tfjs keeps its engine here, so that two copies of it share one.
  const engine = () => self._tfengine;
  // The memories of plans that run without tfjs.
  const memories = new Set();
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = async (...given) => {
    const made = await instantiate(...given);
    if (made.exports?.memory) memories.add(made.exports.memory);
    return made;
  };
  /** Calls onRead for each output that is read from then on, by a plan, out of a memory that exists now. */
  const { slice } = Float32Array.prototype;
  const watchReads = (onRead) => {
    const heaps = Object.values(engine().registry).flatMap(({ wasm }) => wasm?.HEAPU8?.buffer ?? []);
    const watched = new Set([...heaps, ...Array.from(memories, ({ buffer }) => buffer)]);
    Float32Array.prototype.slice = function (...range) {
      const copy = slice.apply(this, range);
      return watched.has(this.buffer) ? onRead(copy) : copy;
    };
  };
  const rigs = {
    hang() { for (;;); },
    throw() { setTimeout(() => { throw new Error("rigged"); }); },
    destroyDevice() { devices.at(-1)?.destroy(); },
    computeNaN() {
      watchReads((copy) => copy.fill(NaN));
      for (const [name, backend] of Object.entries(engine().registry)) {
        if (!name.startsWith("wasm")) continue;
        const { read } = backend;
        backend.read = async function (...args) {
          return (await read.apply(this, args)).slice().fill(NaN);
        };
      }
    },
    // The next read of an output finds that the module has trapped.
    trap() {
      watchReads(() => { throw new WebAssembly.RuntimeError("memory access out of bounds"); });
      for (const [name, backend] of Object.entries(engine().registry)) {
        if (!name.startsWith("wasm")) continue;
        backend.read = async () => { throw new WebAssembly.RuntimeError("memory access out of bounds"); };
      }
    },
    // Memory grows no more, and closing a backend traps, as with a memory that is broken.
    limitMemory() {
      WebAssembly.Memory.prototype.grow = () => { throw new RangeError("rigged: no memory"); };
      for (const [name, backend] of Object.entries(engine().registry)) {
        if (name.startsWith("wasm"))
          backend.wasm.tfjs.dispose = () => { throw new WebAssembly.RuntimeError("memory access out of bounds"); };
      }
    },
    count() { channel.postMessage({ tensors: engine()?.state.numTensors ?? 0, devices: devices.length, planBuffers, groups, submits }); },
  };
  channel.onmessage = ({ data }) => { if (typeof data === "string") { rigs[data](); channel.postMessage({ did: data }); } };
`;

export const RIGGED_WORKER = "/rigged.js";
/** One for which the software GPU is a real one: beside other backends it would not be used. */
export const RIGGED_HARDWARE = "/rigged.js?hardware";
/** One that fetches tfjs where the library does; of what tfjs computes it changes nothing. */
export const RIGGED_BARE = "/rigged.js?bare";

export const riggedWorker: Route = (req, res) => {
  if (![RIGGED_WORKER, RIGGED_HARDWARE, RIGGED_BARE].includes(req.url ?? "")) return false;
  const script = SCRIPT.replace("TFJS", req.url === RIGGED_BARE ? "" : TFJS);
  res.writeHead(200, { "Content-Type": "text/javascript" }).end(script);
  return true;
};

export interface Counted {
  /** Tensors that tfjs holds, on all backends. */
  tensors: number;
  /** GPU devices that were made so far. */
  devices: number;
  /** GPU buffers of plans, and of the weights of models without tfjs, that exist. */
  planBuffers: number;
  /** GPU bind groups that were made so far: one for each kernel that tfjs runs, none for those of a plan. */
  groups: number;
  /** How often commands were handed to a GPU queue. */
  submits: number;
}

/** Resolves when the worker has done it, and at once for what it never comes back from. */
export function rig(page: PageRunner, what: Rig): Promise<void> {
  return page.evaluate(async (what) => {
    const channel = new BroadcastChannel("rig");
    const done = new Promise((resolve) => channel.addEventListener("message", resolve, { once: true }));
    channel.postMessage(what);
    if (what !== "hang") await done;
    channel.close();
  }, what);
}

export function count(page: PageRunner): Promise<Counted> {
  return page.evaluate(async () => {
    const channel = new BroadcastChannel("rig");
    const counted = new Promise<Counted>((resolve) =>
      channel.addEventListener("message", ({ data }) => "tensors" in data && resolve(data)),
    );
    channel.postMessage("count");
    const answer = await counted;
    channel.close();
    return answer;
  });
}
