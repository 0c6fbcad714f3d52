// Accounting adds up whatever becomes of requests, and does not count those of other pages.
import fc from "fast-check";
import { expect, test } from "vitest";
import { createAccounting, type DroppedRecords } from "../../../../../src/page/lazy/telemetry/accounting.js";
import type { ExportRequest } from "../../../../../src/page/lazy/telemetry/requests.js";

const requestOf = (id: string, metrics: number, events: number): ExportRequest => ({
  id,
  path: "/v1/beacon",
  body: "",
  at: 0,
  records: { metrics, events },
});

test("recorded is sent, pending and dropped, after each step", () => {
  const ends = fc.option(
    fc.record({
      reason: fc.constantFrom("rejected" as const, "partial" as const),
      count: fc.option(fc.nat(20), { nil: undefined }),
    }),
    { nil: undefined },
  );
  const requests = fc.array(fc.record({ metrics: fc.nat(9), events: fc.nat(9), isOwn: fc.boolean(), end: ends }), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(requests, (all) => {
      const drops: number[] = [];
      const accounting = createAccounting((_signal, _reason, count) => drops.push(count));
      let own = 0;
      let lost = 0;
      for (const [i, { metrics, events, isOwn, end }] of all.entries()) {
        const one = requestOf(`${i}`, metrics, events);
        if (isOwn) {
          accounting.recorded(metrics + events);
          accounting.track([one]);
          own += metrics + events;
        }
        accounting.settle(one, end as DroppedRecords | undefined);
        const gone = end ? Math.min(metrics + events, end.count ?? metrics + events) : 0;
        if (isOwn) lost += gone;
        const { recorded, sent, pending, dropped } = accounting.stats();
        const sum = Object.values(dropped).reduce((a, b) => a + b, 0);
        expect([recorded, pending, sum, sent]).toEqual([own, 0, lost, own - lost]);
      }
      expect(drops.every((count) => count > 0)).toBe(true);
    }),
  );
});

test("records that are taken back are pending until they are sent in another request", () => {
  const accounting = createAccounting(() => undefined);
  accounting.recorded(5);
  const first = requestOf("a", 3, 2);
  accounting.track([first]);
  accounting.untrack([first]);
  expect(accounting.stats()).toMatchObject({ pending: 5, sent: 0 });
  const second = requestOf("b", 3, 2);
  accounting.track([second]);
  accounting.settle(second);
  // The browser had sent the first request after all: it must not be counted a second time.
  accounting.settle(first);
  expect(accounting.stats()).toMatchObject({ pending: 0, sent: 5 });
});
