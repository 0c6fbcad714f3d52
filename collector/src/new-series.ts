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
 * The limit of each sender, as `senderOf` names it; without one there is none. Not by the write key: all honest pages share it, and a stranger would
 * use up their part.
 */
export function createNewSeriesLimit(): (sender: string | undefined) => MayBegin {
  const limits = { series: createRateLimit(SERIES), stream: createRateLimit(STREAMS) };
  return (sender) => {
    if (sender === undefined) return () => true;
    return (what) => limits[what].take(sender) === 0;
  };
}
