// The calls of one version: counted, so that it is freed after its last one; and held back while the version is being loaded.
import { disposedError } from "../../../shared/disposed-error.js";
import type { HostProgress, HostResult, ModelMethod } from "../../../shared/protocol.js";
import { withTimeout } from "../../lib/with-timeout.js";
import type { CallInput, ModelRpc } from "../../workers/model-rpc.js";
import type { CallOptions } from "../../workers/rpc.js";

type Input<M extends ModelMethod> = CallInput<M> | (() => Promise<CallInput<M>>);
type Options<M extends ModelMethod> = CallOptions<HostProgress<M>> & { ordered?: boolean };

export class HeldRpc implements ModelRpc {
  #target: ModelRpc | undefined;
  /** In the order of the calls. */
  readonly #waiting = new Set<{ send(target: ModelRpc): void; fail(error: unknown): void }>();
  #open = 0;
  #onIdle: (() => void)[] = [];

  /** Without a target calls wait for `release`. */
  constructor(target?: ModelRpc) {
    this.#target = target;
  }

  async call<M extends ModelMethod>(method: M, input: Input<M>, options: Options<M>): Promise<HostResult<M>> {
    this.#open += 1;
    try {
      return await (this.#target ? this.#target.call(method, input, options) : this.#hold(method, input, options));
    } finally {
      this.#open -= 1;
      if (this.#open === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
    }
  }

  /** Sends what waits, in its order, and what comes later. */
  release(target: ModelRpc): void {
    this.#target = target;
    for (const each of this.#waiting) each.send(target);
    this.#waiting.clear();
  }

  /** Resolves once no call is open. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#open === 0) resolve();
      else this.#onIdle.push(resolve);
    });
  }

  async dispose(): Promise<void> {
    for (const each of this.#waiting) each.fail(disposedError("The model"));
    this.#waiting.clear();
    await this.#target?.dispose();
  }

  #hold<M extends ModelMethod>(method: M, input: Input<M>, options: Options<M>): Promise<HostResult<M>> {
    const prepare = typeof input === "function" ? input : async () => input;
    // Now, since the caller may draw the next image meanwhile; for a repetition, again.
    let prepared: Promise<CallInput<M>> | undefined = prepare();
    prepared.catch(() => undefined);
    const take = () => {
      const taken = prepared ?? prepare();
      prepared = undefined;
      return taken;
    };
    return withTimeout(options, (signal) => {
      const waiting = new Promise<HostResult<M>>((resolve, reject) => {
        const entry = {
          send: (target: ModelRpc) => target.call(method, take, { ...options, signal }).then(resolve, reject),
          fail: reject,
        };
        this.#waiting.add(entry);
        // Given up while it waited: it must not be predicted.
        signal.addEventListener("abort", () => this.#waiting.delete(entry));
      });
      return waiting;
    });
  }
}
