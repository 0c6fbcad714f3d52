// What the manifest says of the plans in a package: their files, and for which inputs and which binary they are.
import { type At, keyName, list, object, own, refuse, shape, show, text, under } from "../../shared/json-fields.js";
import type { FileSpec, InputSpec, PlanSpec } from "../../shared/types/manifest.js";

/** One item and a few batch sizes, each with an embedding. */
const MAX_PLANS = 16;

export function parsePlanSpecs(value: unknown, files: FileSpec[], inputs: InputSpec[], at: At): PlanSpec[] {
  const items = list(value, at);
  if (items.length > MAX_PLANS) refuse(at, `lists ${items.length} plans, ${MAX_PLANS} is the maximum`);
  return items.map((item, index) => {
    const here = under(at, index);
    const given = object(item, here);
    const path = text(own(given, "path"), under(here, "path"));
    if (!files.some((file) => file.path === path))
      refuse(under(here, "path"), `is ${show(path)}, which is not in files`);
    return {
      path,
      inputs: parseShapes(own(given, "inputs"), inputs, under(here, "inputs")),
      // Those of other versions of tfjs are left alone, not refused.
      binary: text(own(given, "binary"), under(here, "binary")),
    };
  });
}

function parseShapes(value: unknown, inputs: InputSpec[], at: At): Record<string, number[]> {
  const names = inputs.map(({ name }) => name);
  const entries = Object.entries(object(value, at));
  if (entries.length !== names.length) refuse(at, `has ${entries.length} items, the model has ${names.length} inputs`);
  return Object.fromEntries(
    entries.map(([name, sides]) => {
      const here = under(at, keyName(name, at));
      if (!names.includes(name)) refuse(here, "is not an input of the model");
      return [name, shape(sides, here, 0)];
    }),
  );
}
