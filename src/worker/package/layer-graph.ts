// Checks that the layers of a layers model can be called in some order: tfjs searches for one without end.
import { type At, isObject, object, own, refuse, show, text, under } from "../../shared/json-fields.js";

/** A call of a layer: what it needs are the outputs of other calls, each by its layer's name and its number. */
interface LayerCall {
  layer: string;
  needs: [layer: string, number: unknown][];
}

/** `layers` of a functional model, as Keras writes them. Throws `model_format` when a call waits for one that never comes. */
export function checkLayerOrder(layers: readonly unknown[], at: At): void {
  const made = new Map<string, number>();
  const calls: LayerCall[] = [];
  for (const [index, item] of layers.entries()) {
    const here = under(at, index);
    const given = object(item, here);
    const layer = text(own(given, "name"), under(here, "name"));
    if (made.has(layer)) refuse(under(here, "name"), `is ${show(layer)} a second time`);
    made.set(layer, isCalledAtOnce(given) ? 1 : 0);
    const found = own(given, "inbound_nodes") ?? own(given, "inboundNodes");
    for (const node of Array.isArray(found) ? found : []) calls.push({ layer, needs: needsOf(node) });
  }
  const late = firstWithout(calls, made);
  if (late) refuse(at, `calls ${show(late.layer)} with an output of ${show(late.needs[0]?.[0])} that is never made`);
}

/** tfjs calls input layers, and the layers of an inner model, when it creates them. */
function isCalledAtOnce(given: Record<string, unknown>): boolean {
  const config = own(given, "config");
  return own(given, "class_name") === "InputLayer" || Array.isArray(isObject(config) ? own(config, "layers") : config);
}

/** tfjs says itself that a node is corrupt, but waits forever for an item that names no layer. */
function needsOf(node: unknown): LayerCall["needs"] {
  const items: unknown[] = Array.isArray(node) ? node : [];
  return items.map((item) => (Array.isArray(item) ? [String(item[0]), item[1]] : [String(item), 0]));
}

/** Makes all calls whose needs are met, each when its last need is, and returns one that is left. */
function firstWithout(calls: LayerCall[], made: Map<string, number>): LayerCall | undefined {
  const waiting = new Map<string, LayerCall[]>();
  const ready = [...calls];
  // The list grows while it is walked through.
  for (const call of ready) {
    // As tfjs compares: a number that is none is never too large.
    const missing = call.needs.find(
      ([layer, number]) => !made.has(layer) || (made.get(layer) as number) <= (number as number),
    );
    if (missing) {
      const others = waiting.get(missing[0]) ?? [];
      others.push(call);
      waiting.set(missing[0], others);
      continue;
    }
    made.set(call.layer, (made.get(call.layer) ?? 0) + 1);
    for (const woken of waiting.get(call.layer) ?? []) ready.push(woken);
    waiting.delete(call.layer);
  }
  return [...waiting.values()][0]?.[0];
}
