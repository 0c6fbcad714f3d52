// Records what one run of a model asks of tfjs's wasm binary, and what tfjs's kernels do in JavaScript meanwhile.
import {
  getBackend,
  getKernelsForBackend,
  type KernelConfig,
  type NamedTensorMap,
  type Tensor,
} from "@tensorflow/tfjs-core";
import type { DType, TypedArray } from "../../../shared/types/tensor.js";
import { type KernelCall, KernelScope } from "./kernel-scope.js";
import { NoPlanError, type PlannedTensor, type Recording, type Step } from "./steps.js";
import { type DataId, setCallObserver, type TensorInfo, type WasmBackend } from "./wasm-backend.js";
import { bytesPerElement, sizeOf } from "./wasm-module.js";

interface Entry extends PlannedTensor {
  isUsed: boolean;
  isConstant: boolean;
}

type KernelFunc = KernelConfig["kernelFunc"];

// XNNPACK packs these inputs once for each id, in the kernels that are named.
const PACKED = ["filter", "bias", "b", "alpha", "preluActivationWeights"];
const PACKING = /Conv|MatMul|Prelu/;
/** tfjs's own outputs depend on what was in memory before: it adds to what it never cleared (4.22). */
const UNSTABLE = "Conv3DBackpropInputV2";

/** `run` must return tensors of its own, which are disposed. Throws `NoPlanError` where the run cannot be replayed, and what `run` throws. */
export async function record(
  backend: WasmBackend,
  inputs: NamedTensorMap,
  run: (inputs: NamedTensorMap) => Promise<Tensor[]>,
): Promise<Recording> {
  const recorder = new Recorder(backend, inputs);
  const restore = recorder.listen();
  let results: Tensor[] = [];
  try {
    results = await run(inputs);
    return recorder.end(results);
  } finally {
    restore();
    for (const result of results) result.dispose();
  }
}

class Recorder {
  readonly #backend: WasmBackend;
  readonly #steps: Step[] = [];
  readonly #entries = new Map<number, Entry>();
  readonly #inputs: Recording["inputs"] = [];
  /** Ids of the tensors that depend on the inputs. */
  readonly #variable = new Set<number>();
  #scope: KernelScope | undefined;
  #reason: string | undefined;

  constructor(backend: WasmBackend, inputs: NamedTensorMap) {
    this.#backend = backend;
    for (const [name, { dataId, shape }] of Object.entries(inputs)) {
      const { id } = backend.dataIdMap.get(dataId);
      this.#inputs.push({ name, id, shape: shape.slice() });
      this.#variable.add(id);
      this.#add(dataId, { isUsed: true });
    }
  }

  /** Replaces what the kernels use; the result undoes it. */
  listen(): () => void {
    const backend = this.#backend;
    const { move, makeOutput, typedArrayFromHeap, readSync, disposeData } = backend;
    const hooks: Partial<WasmBackend> = {
      move: (data, values, ...rest) => {
        move.call(backend, data, values, ...rest);
        this.#onMove(data, values);
      },
      makeOutput: (shape, dtype, address, values) => {
        if (typeof address === "number") this.#refuse("makes outputs whose size depends on the input");
        return makeOutput.call(backend, shape, dtype, address, values);
      },
      typedArrayFromHeap: (info) => {
        const view = typedArrayFromHeap.call(backend, info);
        return this.#scope?.watch(info, view) ?? view;
      },
      readSync: (data, start, end) => this.#onRead(data, readSync.call(backend, data, start, end), start),
      disposeData: (data, force) => {
        const { id } = backend.dataIdMap.has(data) ? backend.dataIdMap.get(data) : { id: 0 };
        const isGone = disposeData.call(backend, data, force);
        const entry = this.#entries.get(id);
        if (entry && !backend.dataIdMap.has(data)) entry.dies = Math.min(entry.dies, this.#steps.length);
        return isGone;
      },
    };
    Object.assign(backend, hooks);
    const restoreKernels = this.#listenToKernels();
    setCallObserver((name, types, args) => this.#onCall(name, types, args));
    return () => {
      setCallObserver(undefined);
      restoreKernels();
      // What is behind them are the methods of the class.
      for (const name of Object.keys(hooks)) delete (backend as unknown as Record<string, unknown>)[name];
    };
  }

  end(results: Tensor[]): Recording {
    const outputs = results.map((result) => {
      const entry = this.#use(result);
      if (entry) entry.dies = Number.POSITIVE_INFINITY;
      return { id: entry?.id ?? 0, shape: result.shape.slice(), dtype: result.dtype as DType };
    });
    const own = new Set([...this.#inputs, ...outputs].map(({ id }) => id));
    for (const { id, dies, address } of this.#entries.values())
      if (dies === Number.POSITIVE_INFINITY && address === undefined && !own.has(id))
        this.#refuse("keeps tensors from one run to the next");
    if (this.#reason) throw new NoPlanError(this.#reason);
    const tensors = [...this.#entries.values()]
      .filter(({ isUsed }) => isUsed)
      .map(({ isUsed: _, isConstant: __, ...tensor }) => ({ ...tensor, dies: Math.max(tensor.dies, tensor.born + 1) }));
    return { steps: this.#steps, tensors, inputs: this.#inputs, outputs };
  }

  #listenToKernels(): () => void {
    const kernels = getKernelsForBackend(getBackend());
    const functions = kernels.map(({ kernelFunc }) => kernelFunc);
    for (const [index, kernel] of kernels.entries()) {
      const run = functions[index] as KernelFunc;
      kernel.kernelFunc = (params) => this.#kernel(kernel.kernelName, params, run);
    }
    return () => {
      for (const [index, kernel] of kernels.entries()) kernel.kernelFunc = functions[index] as KernelFunc;
    };
  }

  /** The first reason counts: what follows may be caused by it. The run goes on, so that tfjs stays in order. */
  #refuse(what: string): void {
    this.#reason ??= `${this.#scope?.call.name ?? "the model"} ${what}`;
  }

  // ---- tensors -----------------------------------------------------------------------------------------------------

  #add(data: DataId, { isUsed = false, isConstant = false }): Entry {
    const { id, shape, dtype } = this.#backend.dataIdMap.get(data);
    const [born, dies] = [this.#steps.length, Number.POSITIVE_INFINITY];
    const entry: Entry = { id, size: sizeOf(shape), dtype: dtype as DType, born, dies, isUsed, isConstant };
    this.#entries.set(id, entry);
    return entry;
  }

  #onMove(data: DataId, values: TypedArray | null): void {
    const { id, dtype } = this.#backend.dataIdMap.get(data);
    if (dtype === "string") {
      this.#refuse("works on strings");
      return;
    }
    if (!this.#scope?.call.isVariable) {
      this.#add(data, { isConstant: true });
      return;
    }
    if (values) this.#refuse("computes in JavaScript");
    this.#add(data, { isUsed: true });
    this.#variable.add(id);
    this.#scope.addMade(data);
  }

  /** A tensor that a step or the caller needs: a constant's content is kept. Undefined for strings. */
  #use({ dataId }: TensorInfo): Entry | undefined {
    const { id, dtype, memoryOffset } = this.#backend.dataIdMap.get(dataId);
    if (dtype === "string") {
      this.#refuse("works on strings");
      return undefined;
    }
    const address = memoryOffset as number;
    const known = this.#entries.get(id);
    // It was there before the run: a weight.
    const entry = known ?? Object.assign(this.#add(dataId, { isUsed: true }), { address });
    if (entry.isConstant && !entry.data) {
      entry.isUsed = true;
      entry.data = this.#backend.wasm.HEAPU8.slice(address, address + entry.size * bytesPerElement(dtype));
    }
    return entry;
  }

  // ---- kernels -----------------------------------------------------------------------------------------------------

  #kernel(name: string, params: Parameters<KernelFunc>[0], run: KernelFunc): ReturnType<KernelFunc> {
    // What a kernel calls belongs to it.
    if (this.#scope) return run(params);
    const inputs = params.inputs as unknown as KernelCall["inputs"];
    const infos = Object.values(inputs)
      .flat()
      .filter((info) => info !== undefined && info !== null);
    const ids = infos.map(({ dataId }) => this.#backend.dataIdMap.get(dataId).id);
    const isVariable = ids.some((id) => this.#variable.has(id));
    const call: KernelCall = { name, inputs, attrs: (params.attrs ?? {}) as Record<string, unknown>, isVariable };
    const scope = new KernelScope(call, this.#backend, this.#steps, (what) => this.#refuse(what));
    this.#scope = scope;
    try {
      if (isVariable) this.#begin(scope, infos);
      if (name === UNSTABLE) this.#refuse("adds to memory that it has not cleared");
      const result = run(params);
      if (isVariable) scope.end();
      // tfjs keeps the model's inputs to the end of the run.
      for (const { id } of this.#inputs)
        if (ids.includes(id)) (this.#entries.get(id) as Entry).dies = this.#steps.length;
      return result;
    } finally {
      this.#scope = undefined;
    }
  }

  #begin(scope: KernelScope, infos: TensorInfo[]): void {
    for (const info of infos) {
      this.#use(info);
      scope.addInput(info.dataId);
    }
    // What a kernel packs of a tensor that depends on the model's input belongs to this run only.
    for (const name of PACKING.test(scope.call.name) ? PACKED : []) {
      const info = scope.call.inputs[name];
      if (!info || Array.isArray(info)) continue;
      const { id } = this.#backend.dataIdMap.get(info.dataId);
      if (this.#variable.has(id)) this.#steps.push({ kind: "renew", of: id });
    }
    this.#addChecks(scope.call);
  }

  /** What these kernels do not check themselves. GatherV2 does, in JavaScript. */
  #addChecks({ name, inputs }: KernelCall): void {
    const idOf = ({ dataId }: TensorInfo) => this.#backend.dataIdMap.get(dataId).id;
    if (name === "GatherNd") {
      const { params, indices } = inputs as { params: TensorInfo; indices: TensorInfo };
      this.#steps.push({ kind: "bounds", of: idOf(indices), limits: params.shape.slice(0, indices.shape.at(-1)) });
    }
    const { x } = inputs as { x: TensorInfo };
    if (name === "TopK" && x.dtype === "float32") this.#steps.push({ kind: "numbers", of: idOf(x) });
  }

  #onCall(name: string, types: readonly string[], args: readonly unknown[]): void {
    if (!this.#scope) this.#refuse("calls the binary outside of a kernel");
    if (!this.#scope?.call.isVariable) return;
    this.#scope.onCall(args);
    const kept = args.map((arg, index) =>
      types[index] === "array" ? Uint8Array.from(arg as ArrayLike<number>) : Number(arg),
    );
    this.#steps.push({ kind: "call", name, args: kept });
  }

  #onRead(data: DataId, values: TypedArray, start = 0): TypedArray {
    const { id } = this.#backend.dataIdMap.get(data);
    const isLookup = this.#scope?.call.isVariable && this.#scope.call.name === "GatherV2";
    if (!this.#variable.has(id) && !isLookup) return values;
    if (this.#scope) return this.#scope.onRead(data, values, start);
    this.#refuse("reads values back");
    return values;
  }
}
