// Limits how many new series and streams one sender may begin, so that none can take all places.
import type { MayBegin } from "./add-points.js";
import { createRateLimit } from "./rate-limit.js";

const DAY_S = 24 * 3600;
/**
 * A site has some hundreds of series, and a release of a model adds some dozens: one address can begin 1,000, and 100 more a day. A series
 * retires after 30 silent days, so one address never has more than 4,000 of the 5,000 places.
 */
const SERIES = { burst: 1_000, rate: 100 / DAY_S };
/** Streams begin again with each restart of a server: 2,000 and 200 more a day are at most 8,000 of the 10,000 places. */
const STREAMS = { burst: 2_000, rate: 200 / DAY_S };

/**
 * The limit of each sender, by its address; without one there is none. Not by the write key: all honest pages share it, and a stranger would
 * use up their part.
 */
export function createNewSeriesLimit(): (address: string | undefined) => MayBegin {
  const limits = { series: createRateLimit(SERIES), stream: createRateLimit(STREAMS) };
  return (address) => {
    if (address === undefined) return () => true;
    const sender = networkOf(address);
    return (what) => limits[what].take(sender) === 0;
  };
}

/** An IPv6 sender usually has a network of 64 bits to itself, and any number of addresses in it. */
function networkOf(address: string): string {
  if (!address.includes(":") || address.includes(".")) return address;
  const [head = "", tail] = address.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail ? tail.split(":") : [];
  const zeros = tail === undefined ? [] : new Array<string>(Math.max(0, 8 - left.length - right.length)).fill("0");
  return [...left, ...zeros, ...right].slice(0, 4).join(":");
}
