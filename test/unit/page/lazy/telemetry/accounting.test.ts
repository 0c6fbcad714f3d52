// The books add up whatever becomes of requests, and those of other pages are not in them.
import fc from "fast-check";
import { expect, test } from "vitest";
import { createAccounting, type DroppedRecords } from "../../../../../src/page/lazy/telemetry/accounting.js";
import type { ExportRequest } from "../../../../../src/page/lazy/telemetry/requests.js";

const parcel = (id: string, metrics: number, events: number): ExportRequest => ({
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
  const requests = fc.array(fc.record({ metrics: fc.nat(9), events: fc.nat(9), isMine: fc.boolean(), end: ends }), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(requests, (all) => {
      const drops: number[] = [];
      const books = createAccounting((_signal, _reason, count) => drops.push(count));
      let own = 0;
      let lost = 0;
      for (const [i, { metrics, events, isMine, end }] of all.entries()) {
        const one = parcel(`${i}`, metrics, events);
        if (isMine) {
          books.recorded(metrics + events);
          books.opened([one]);
          own += metrics + events;
        }
        books.closed(one, end as DroppedRecords | undefined);
        const gone = end ? Math.min(metrics + events, end.count ?? metrics + events) : 0;
        if (isMine) lost += gone;
        const { recorded, sent, pending, dropped } = books.stats();
        const sum = Object.values(dropped).reduce((a, b) => a + b, 0);
        expect([recorded, pending, sum, sent]).toEqual([own, 0, lost, own - lost]);
      }
      expect(drops.every((count) => count > 0)).toBe(true);
    }),
  );
});

test("what is taken back is pending until it is sent under another name", () => {
  const books = createAccounting(() => undefined);
  books.recorded(5);
  const first = parcel("a", 3, 2);
  books.opened([first]);
  books.recalled([first]);
  expect(books.stats()).toMatchObject({ pending: 5, sent: 0 });
  const second = parcel("b", 3, 2);
  books.opened([second]);
  books.closed(second);
  // The browser had sent the first after all: its collector counts it, these books do not a second time.
  books.closed(first);
  expect(books.stats()).toMatchObject({ pending: 0, sent: 5 });
});
