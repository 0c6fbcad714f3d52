// Layers whose calls wait for each other are refused, since tfjs would search for an order without end.
import { describe, expect, test } from "vitest";
import { checkLayerOrder } from "../../../../src/worker/package/layer-graph.js";

const AT = { url: "model.json", field: "layers" };
const input = { class_name: "InputLayer", name: "in", config: {}, inbound_nodes: [] };
const layer = (name: string, ...nodes: unknown[]) => ({ class_name: "Dense", name, config: {}, inbound_nodes: nodes });
const from = (name: unknown, number: unknown = 0) => [[name, number, 0, {}]];

describe("an order is found", () => {
  test.each([
    ["in sequence", [input, layer("a", from("in")), layer("b", from("a"))]],
    ["in reverse", [layer("b", from("a")), layer("a", from("in")), input]],
    [
      "of a layer that is used twice, once on itself",
      [input, layer("a", from("in"), from("a")), layer("b", from("a", 1))],
    ],
  ])("%s", (_, layers) => {
    expect(() => checkLayerOrder(layers, AT)).not.toThrow();
  });

  test("of 50,000 layers in reverse, at once", () => {
    const chain = Array.from({ length: 50_000 }, (_, i) => layer(`l${i}`, from(i === 0 ? "in" : `l${i - 1}`)));
    expect(() => checkLayerOrder([...chain.reverse(), input], AT)).not.toThrow();
  });
});

describe("refused", () => {
  test.each([
    ["a ring", [input, layer("a", from("b")), layer("b", from("a"))], /"[ab]" with an output of "[ab]"/],
    ["a layer that is not there", [input, layer("a", from("none"))], /"none"/],
    ["a call that is not made", [input, layer("a", from("in", 3))], /"in"/],
    ["an item that is no reference", [input, layer("a", [7])], /"7"/],
    ["a node that is one reference", [input, layer("a", ["in", 0, 0, {}])], /never made/],
    ["a layer without a name", [input, { class_name: "Dense", config: {} }], /name/],
    ["two layers of one name", [input, layer("in")], /second time/],
  ])("%s", (_, layers, message) => {
    expect(() => checkLayerOrder(layers, AT)).toThrow(message);
  });
});
