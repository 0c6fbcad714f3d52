// Token buckets: how many requests a sender may send in a burst, and how many per second after that.
//
// Not a package: @fastify/rate-limit counts in fixed windows, where twice the rate passes at a border, and `limiter` makes callers wait.

export interface RateLimit {
  /** Takes one token and returns 0, or returns the milliseconds until there is one. */
  take(sender: string): number;
}

export interface RateOptions {
  /** Tokens per second. */
  rate: number;
  /** Tokens of a full bucket. */
  burst: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

// Above this the sender whose last request is the oldest is removed, which refills its bucket.
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
      // Inserted again, so that the map is ordered by the last request.
      buckets.delete(sender);
      buckets.set(sender, { tokens: isFree ? tokens - 1 : tokens, at: time });
      if (buckets.size > MAX_SENDERS) buckets.delete(buckets.keys().next().value as string);
      return isFree ? 0 : Math.ceil(((1 - tokens) / rate) * 1000);
    },
  };
}
