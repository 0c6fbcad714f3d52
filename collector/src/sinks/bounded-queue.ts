// Deliveries that wait for a sink: first in, first out, bounded by their bytes.
import type { Delivery } from "./sink.js";

// Half an hour of a busy site, and little beside the database's memory.
const MAX_BYTES = 32 * 1024 * 1024;

export interface BoundedQueue {
  push(delivery: Delivery): void;
  shift(): Delivery | undefined;
  takeAll(): Delivery[];
  /** The points and events that wait. */
  items(): number;
}

/** The delivery that is being sent is not in it. `onDrop` gets the number of items that no longer fit. */
export function createBoundedQueue(onDrop: (items: number) => void): BoundedQueue {
  const deliveries: Delivery[] = [];
  let bytes = 0;
  const shift = () => {
    const delivery = deliveries.shift();
    bytes -= delivery?.body.length ?? 0;
    return delivery;
  };
  return {
    shift,
    push(delivery) {
      deliveries.push(delivery);
      bytes += delivery.body.length;
      while (bytes > MAX_BYTES && deliveries.length > 1) onDrop(shift()?.items ?? 0);
    },
    takeAll() {
      bytes = 0;
      return deliveries.splice(0);
    },
    items: () => deliveries.reduce((sum, { items }) => sum + items, 0),
  };
}
