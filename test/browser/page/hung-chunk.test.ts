// A part of the library whose file never arrives: what needs it is refused, and everything else goes on.
import { expect, test } from "../../support/fixtures.js";

test("models load without their monitor and without telemetry, and predictAll is refused", async ({
  library,
  page,
}) => {
  for (const part of ["monitor", "telemetry", "predict-all"])
    library.server.faults.set(`/dist/${part}.js`, { kind: "stall" });
  const outcome = await page.evaluate(async () => {
    const codeOf = (work: Promise<unknown>) =>
      work.then(
        () => "resolved",
        (error) => error.code,
      );
    const client = window.insitu.createClient({ backends: ["wasm"], telemetry: { endpoint: "/collect/" } });
    const model = await client.load("/models/digits/");
    const { id, outputs } = await model.predict(new Float32Array(784));
    const all = model.predictAll([new Float32Array(784)]);
    const codes = [await codeOf(all.next()), await codeOf(model.feedback(id, { label: "0" } as never))];
    return [Object.keys(outputs).length, ...codes];
  });
  expect(outcome).toEqual([1, "timeout", "network"]);
});
