// The option `histogram`: what is reported, and what is fetched for it.
import { expect, test } from "../../../../support/fixtures.js";
import { flush, open, predict } from "../../../../support/telemetry-page.js";

test("exponential histograms are reported where the page asks for them, and their code is fetched only then", async ({
  page,
  receiver,
  library,
}) => {
  const fetched = () => library.server.requests.some(({ url }) => url.includes("exponential-histogram"));
  library.server.requests.length = 0;
  await open(page, receiver);
  await predict(page, 3);
  await flush(page);
  expect(fetched()).toBe(false);
  expect(receiver.received.some(({ text }) => text.includes('"exponentialHistogram"'))).toBe(false);
  await open(page, receiver, { histogram: "exponential" });
  await predict(page, 3);
  await flush(page);
  expect(fetched()).toBe(true);
  const texts = receiver.received.map(({ text }) => text).join();
  expect(texts).toContain('"exponentialHistogram"');
});
