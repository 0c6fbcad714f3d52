// Bounds what waits in memory: bodies that arrive, and bodies that wait for the database. Above the limits requests are refused at once.
import { HttpError } from "./errors.js";
import { MAX_ARRIVING, MAX_ARRIVING_OF_SENDER, MAX_WAITING_BYTES } from "./limits.js";
import type { OwnMetric } from "./prometheus.js";
import { createSenderTally } from "./sender-tally.js";

/** A request that was let in. */
export interface Place {
  /** The body is complete; its bytes count from now on. */
  arrived(bytes: number): void;
  /** The body became larger, or smaller when the number is negative, than it counted. */
  grew(bytes: number): void;
  /** Runs work that holds the body: its bytes count until it ends, also when the sender is gone. */
  hold<T>(work: () => Promise<T>): Promise<T>;
  /** The response is closed. */
  leave(): void;
}

export interface Admission {
  /**
   * Throws `HttpError` 503 with `Retry-After` when too much waits. `end` breaks the request off: it is called when all places are taken and
   * this body has been arriving for longest, so that slow senders, from however many addresses, cannot hold the places.
   */
  enter(sender: string, end: () => void): Place;
  metrics(): OwnMetric[];
}

interface Figures {
  waitingBytes: number;
  shed: number;
}

// Spread, so that those who were refused together do not come again together.
const RETRY_MS = { least: 2_000, spread: 8_000 };

// A page sends a few kilobytes, which arrive within a second on a slow phone too.
const SLOW_MS = 1_000;

interface Arriving {
  since: number;
  end: () => void;
}

export function createAdmission(): Admission {
  const figures: Figures = { waitingBytes: 0, shed: 0 };
  const arriving = createSenderTally();
  /** In the order in which they came. */
  const places = new Set<Arriving>();

  /** Ends the body that has been arriving for longest, if that one is slow. */
  const endSlowest = () => {
    const [slowest] = places;
    if (!slowest || performance.now() - slowest.since < SLOW_MS) return;
    figures.shed += 1;
    slowest.end();
  };

  return {
    enter(sender, end) {
      if (arriving.all() >= MAX_ARRIVING) endSlowest();
      const isFull = figures.waitingBytes >= MAX_WAITING_BYTES || arriving.all() >= MAX_ARRIVING;
      if (isFull || arriving.of(sender) >= MAX_ARRIVING_OF_SENDER) {
        figures.shed += 1;
        const retryMs = RETRY_MS.least + Math.random() * RETRY_MS.spread;
        throw new HttpError(503, "The collector has more to do than it can; try again later.", { retryMs });
      }
      arriving.add(sender);
      const place = createPlace(figures, () => {
        places.delete(entry);
        arriving.remove(sender);
      });
      const entry: Arriving = {
        since: performance.now(),
        end() {
          // Its place is free at once, before the connection has closed.
          place.leave();
          end();
        },
      };
      places.add(entry);
      return place;
    },
    metrics: () => metricsOf(figures, arriving.all()),
  };
}

function createPlace(figures: Figures, onArrived: () => void): Place {
  let bytes = 0;
  let working = 0;
  let isArriving = true;
  let hasLeft = false;

  const grew = (more: number) => {
    bytes += more;
    figures.waitingBytes += more;
  };
  const arrived = (more: number) => {
    if (!isArriving) return;
    isArriving = false;
    onArrived();
    grew(more);
  };
  const release = () => {
    if (!hasLeft || working > 0) return;
    figures.waitingBytes -= bytes;
    bytes = 0;
  };

  return {
    arrived,
    grew,
    async hold(work) {
      working += 1;
      try {
        return await work();
      } finally {
        working -= 1;
        release();
      }
    },
    leave() {
      hasLeft = true;
      arrived(0);
      release();
    },
  };
}

function metricsOf({ waitingBytes, shed }: Figures, arriving: number): OwnMetric[] {
  return [
    {
      name: "insitu_collector_shed_total",
      kind: "counter",
      help: "Requests that were refused since too much waited, since the collector started.",
      value: shed,
    },
    {
      name: "insitu_collector_waiting_bytes",
      kind: "gauge",
      help: "Bytes of bodies that wait for the database.",
      value: waitingBytes,
    },
    { name: "insitu_collector_arriving", kind: "gauge", help: "Bodies that are not complete yet.", value: arriving },
  ];
}
