// Dispatches the calls of a personal model by a typed table: the compiler demands an entry for a method that is added to the protocol.
import type { PersonalArguments, PersonalMethod, PersonalRequest, PersonalResult } from "../../shared/protocol.js";
import type { CallContext } from "./base-model.js";
import type { PersonalModel } from "./personal-model.js";

type Handler<M extends PersonalMethod> = (
  model: PersonalModel,
  args: PersonalArguments<M>,
  context: CallContext,
) => Promise<PersonalResult<M>>;

const HANDLERS: { [M in PersonalMethod]: Handler<M> } = {
  state: (model) => model.state(),
  addExample: (model, args, context) => model.addExample(args, context),
  examples: (model) => model.examples(),
  kept: (model, { id }) => model.kept(id),
  remove: (model, args) => model.remove(args),
  train: (model, args, context) => model.train(args, context),
  predict: (model, { input }, context) => model.predict(input, context),
  evaluate: (model) => model.evaluate(),
  versions: (model) => model.versions(),
  revert: (model, { version }) => model.revert(version),
  export: (model, { kept }) => model.export(kept),
  import: (model, { file }) => model.import(file),
  forget: (model) => model.forget().then(() => undefined),
};

/** Calls the method that `request` names; it was checked to be one, and to have arguments of the right types. */
export function callPersonal<M extends PersonalMethod>(
  model: PersonalModel,
  { method, args }: PersonalRequest<M>,
  context: CallContext,
): Promise<PersonalResult<M>> {
  return HANDLERS[method](model, args, context);
}
