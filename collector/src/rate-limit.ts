// Token buckets: how many requests a sender may make at once, and how many a second after that.
//
// Our own: @fastify/rate-limit counts in fixed windows, at whose borders twice the rate passes, and `limiter` makes callers wait.

export interface RateLimit {
  /** Milliseconds until the sender may come again; 0 when it may now, which takes one token. */
  take(sender: string): number;
}

export interface RateOptions {
  /** Tokens a second. */
  rate: number;
  /** Tokens of one who has not come for a while. */
  burst: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

// Of as many senders as are remembered the one that came last the longest ago is forgotten, which fills his bucket.
const MAX_SENDERS = 10_000;

/** `now` in milliseconds. */
export function createRateLimit({ rate, burst }: RateOptions, now: () => number = () => performance.now()): RateLimit {
  const buckets = new Map<string, Bucket>();
  return {
    take(sender) {
      const time = now();
      const known = buckets.get(sender);
      const tokens = known ? Math.min(burst, known.tokens + ((time - known.at) / 1000) * rate) : burst;
      const isFree = tokens >= 1;
      // Put in anew, so that the map's order is that of the last visits.
      buckets.delete(sender);
      buckets.set(sender, { tokens: isFree ? tokens - 1 : tokens, at: time });
      if (buckets.size > MAX_SENDERS) buckets.delete(buckets.keys().next().value as string);
      return isFree ? 0 : Math.ceil(((1 - tokens) / rate) * 1000);
    },
  };
}
