// Trains a personal model: embeds kept inputs again where the base model changed, fits the heads, and commits the new version.
import { InsituError } from "../../shared/errors.js";
import type { PersonalArguments } from "../../shared/protocol.js";
import type { PersonalVersion } from "../../shared/types/personal.js";
import type { ActiveHead } from "./active-head.js";
import type { BaseModel, CallContext } from "./base-model.js";
import type { PersonalStores } from "./import-export.js";
import type { Life } from "./life.js";
import { fromStoredInput } from "./stored-input.js";
import { nothingToTrainOn, trainVersion } from "./training.js";

export class ModelTraining {
  readonly #stores: PersonalStores;
  readonly #active: ActiveHead;
  readonly #base: BaseModel;

  constructor(stores: PersonalStores, active: ActiveHead, base: BaseModel) {
    this.#stores = stores;
    this.#active = active;
    this.#base = base;
  }

  /**
   * Rejects with `input_invalid` when there are no examples, with `aborted`, and with `disposed` when all or an example of it was erased
   * since `life` was read.
   */
  async run(
    life: Life | undefined,
    { budget, trigger }: PersonalArguments<"train">,
    given: CallContext,
  ): Promise<PersonalVersion> {
    if (!life) throw nothingToTrainOn(0);
    const { record } = this.#stores;
    const context: CallContext = {
      signal: given.signal,
      // Also ends what need not go on.
      onProgress(progress) {
        record.assertAlive(life);
        given.onProgress(progress);
      },
    };
    await this.#embedAgain(life, context);
    const state = await this.#stores.record.state();
    const { examples } = await this.#active.usableExamples();
    const { embedder, ref, scheduler } = this.#base;
    const lease = await this.#base.lease();
    try {
      const deadline = performance.now() + budget;
      const { version, heldOut } = await trainVersion({
        examples,
        active: state && (await this.#active.trained(state.active)),
        embedder,
        base: ref,
        trigger,
        backend: { lease, scheduler, deadline, ...context },
        training: () => this.#base.training(),
      });
      if (context.signal.aborted) throw new InsituError("aborted", "The training was aborted.");
      context.onProgress({ phase: "store", done: 0, total: 1 });
      const number = await this.#stores.versions.commit(life, version, heldOut);
      context.onProgress({ phase: "store", done: 1, total: 1 });
      return { ...version.facts, version: number, usable: true };
    } finally {
      lease.end();
    }
  }

  /** Computes embeddings for examples of another release of the base model whose inputs were kept. */
  async #embedAgain(life: Life, { signal, onProgress }: CallContext): Promise<void> {
    const { examples: store } = this.#stores;
    const { embedder: loaded } = this.#base;
    const { examples } = await store.list();
    const others = examples.filter(({ embedder, kept }) => kept && embedder !== loaded);
    for (const [index, { id }] of others.entries()) {
      onProgress({ phase: "embed", done: index, total: others.length });
      const input = await store.input(id);
      if (!input) continue;
      const { vector } = await this.#base.embed(fromStoredInput(input.kept, input.parts), signal);
      await store.embedAgain(life, id, loaded, vector);
    }
  }
}
