// Retries: what is tried again, how often, after how long, and that all requests of a load share the waiting.
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { type ErrorCode, InsituError } from "../../../../../src/shared/errors.js";
import { createBackoff } from "../../../../../src/worker/package/download/backoff.js";
import { downloadText } from "../../../../../src/worker/package/download/download-text.js";
import { browserPlatform } from "../../../../../src/worker/package/platform.js";
import { type ByteHost, startHost } from "../../../../support/byte-host.js";
import { failure } from "../../../../support/chunked.js";
import { eagerPorts, fakePorts } from "../../../../support/ports.js";

const SIGNAL = new AbortController().signal;
const network = () => new InsituError("network", "no answer");
const busy = (retryAfterMs: number) => new InsituError("http_4xx", "too many", { status: 429, retryAfterMs });

/** Runs an attempt that always fails; answers how often it ran and what came out. */
async function exhaust(error: unknown, ports = fakePorts(1), also?: (error: InsituError) => boolean) {
  let runs = 0;
  const attempt = () => {
    runs += 1;
    return Promise.reject(error);
  };
  const thrown = await createBackoff(ports, new AbortController().signal)
    .retry(attempt, also)
    .catch((caught: unknown) => caught);
  return { runs, thrown, slept: ports.slept };
}

describe("what is tried again", () => {
  it.each([408, 425, 429, 500, 502, 503, 504])("is HTTP %i, four times in all", async (status) => {
    const error = new InsituError(status < 500 ? "http_4xx" : "http_5xx", "failed", { status });
    expect(await exhaust(error)).toMatchObject({ runs: 4, thrown: error });
  });

  it("is a network that failed, four times in all", async () => {
    const error = network();
    expect(await exhaust(error)).toMatchObject({ runs: 4, thrown: error });
  });

  it.each([400, 401, 403, 404, 410, 416, 501, 505])("is not HTTP %i", async (status) => {
    const error = new InsituError(status < 500 ? "http_4xx" : "http_5xx", "failed", { status });
    expect(await exhaust(error)).toMatchObject({ runs: 1, thrown: error, slept: [] });
  });

  it.each<ErrorCode>(["model_integrity", "timeout", "aborted", "storage_quota", "model_too_large"])(
    "is not %s",
    async (code) => {
      const error = new InsituError(code, "failed");
      expect(await exhaust(error)).toMatchObject({ runs: 1, thrown: error });
    },
  );

  it("is not an error of another kind, a bug say", async () => {
    const error = new TypeError("x is undefined");
    expect(await exhaust(error)).toMatchObject({ runs: 1, thrown: error });
  });

  it("is also what the caller names", async () => {
    let left = 2;
    const error = new InsituError("model_integrity", "altered");
    const { runs } = await exhaust(error, fakePorts(1), ({ code }) => code === "model_integrity" && left-- > 0);
    expect(runs).toBe(3);
  });

  it("is nothing while the browser is offline", async () => {
    expect(await exhaust(network(), fakePorts(1, { online: () => false }))).toMatchObject({ runs: 1 });
  });

  it("is nothing once the load was aborted", async () => {
    const stop = new AbortController();
    let runs = 0;
    const attempt = () => {
      runs += 1;
      stop.abort();
      return Promise.reject(network());
    };
    await expect(createBackoff(fakePorts(1), stop.signal).retry(attempt)).rejects.toMatchObject({ code: "network" });
    expect(runs).toBe(1);
  });
});

describe("how often", () => {
  it("is four failures in a row; progress starts the count again", async () => {
    let runs = 0;
    const attempt = async (progressed: () => void) => {
      runs += 1;
      if (runs <= 20) progressed();
      throw network();
    };
    await expect(createBackoff(fakePorts(1), SIGNAL).retry(attempt)).rejects.toMatchObject({ code: "network" });
    // The 20th failure is the first without later progress.
    expect(runs).toBe(23);
  });

  it("ends with the first success", async () => {
    let runs = 0;
    const attempt = async () => {
      runs += 1;
      if (runs < 4) throw network();
      return "done";
    };
    await expect(createBackoff(fakePorts(1), SIGNAL).retry(attempt)).resolves.toBe("done");
  });
});

describe("how long", () => {
  it("is by chance anything up to 250 ms, doubled with each failure, and never over 10 s", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const { slept } = await exhaust(network(), fakePorts(seed));
        expect(slept).toHaveLength(3);
        for (const [index, ms] of slept.entries()) {
          expect(ms).toBeGreaterThanOrEqual(0);
          expect(ms).toBeLessThan(Math.min(10_000, 250 * 2 ** index));
        }
      }),
    );
    // The whole range is used: two thousand pages that failed together must not come back together.
    const seeds = Array.from({ length: 300 }, (_, seed) => exhaust(network(), fakePorts(seed)));
    const seconds = (await Promise.all(seeds)).map(({ slept }) => slept[1] as number);
    expect(Math.min(...seconds)).toBeLessThan(50);
    expect(Math.max(...seconds)).toBeGreaterThan(450);
  });

  it("starts at 250 ms again after progress", async () => {
    let runs = 0;
    const ports = fakePorts(1, { random: () => 0.999 });
    const attempt = async (progressed: () => void) => {
      runs += 1;
      if (runs === 3) progressed();
      throw network();
    };
    await createBackoff(ports, SIGNAL)
      .retry(attempt)
      .catch(() => undefined);
    expect(ports.slept.map(Math.round)).toEqual([250, 500, 250, 500, 999]);
  });

  it("is what the host asks for, to the millisecond", async () => {
    expect((await exhaust(busy(7_000))).slept).toEqual([7_000, 7_000, 7_000]);
  });

  it("is shared: whoever fails meanwhile, or waits already, waits for the longest", async () => {
    const ports = fakePorts(3);
    const backoff = createBackoff(ports, SIGNAL);
    const starts: [name: string, at: number][] = [];
    const failing = (name: string, error: InsituError) => {
      let failed = false;
      return backoff.retry(async () => {
        starts.push([name, ports.elapsed()]);
        if (failed) return;
        failed = true;
        throw error;
      });
    };
    // `a` waits 250 ms at most when `b` is told to wait for five seconds; `c` fails after that.
    await Promise.all([failing("a", network()), failing("b", busy(5_000)), failing("c", network())]);
    expect(starts.slice(0, 3).map(([, at]) => at)).toEqual([0, 0, 0]);
    expect(starts.slice(3)).toHaveLength(3);
    for (const [, at] of starts.slice(3)) expect(at).toBe(5_000);
  });

  it("also holds for a request that begins while others wait", async () => {
    const ports = fakePorts(3);
    const backoff = createBackoff(ports, SIGNAL);
    let told = false;
    const first = backoff.retry(async () => {
      if (told) return;
      told = true;
      throw busy(2_000);
    });
    while (ports.slept.length === 0) await Promise.resolve();
    const begun = await backoff.retry(async () => ports.elapsed());
    await first;
    expect(begun).toBe(2_000);
  });

  it("ends at once when the load is aborted", async () => {
    const stop = new AbortController();
    const before = performance.now();
    const waiting = createBackoff(browserPlatform, stop.signal).retry(() => Promise.reject(busy(25_000)));
    setTimeout(() => stop.abort(), 20);
    await expect(waiting).rejects.toMatchObject({ code: "aborted" });
    expect(performance.now() - before).toBeLessThan(5_000);
  });
});

describe("Retry-After of a real host", () => {
  let host: ByteHost | undefined;
  afterEach(() => host?.close());

  /** The host fails once with this header; answers what was slept. */
  async function slowed(status: number, header: (now: number) => string) {
    const ports = fakePorts(1, { fetch: browserPlatform.fetch });
    host = await startHost((_req, res, count) => {
      if (count > 0) res.end("hello");
      else res.writeHead(status, { "Retry-After": header(ports.now()) }).end();
    });
    const text = await downloadText(host.url, 100, SIGNAL, ports).catch((error: unknown) => error);
    return { text, slept: ports.slept };
  }

  it("in seconds is waited for", async () => {
    expect(await slowed(429, () => "12")).toEqual({ text: "hello", slept: [12_000] });
  });

  it("as a date is waited for, on a clock that only goes forward", async () => {
    expect(await slowed(503, (now) => new Date(now + 9_000).toUTCString())).toEqual({ text: "hello", slept: [9_000] });
  });

  it("of a date that has passed, or of 0, means now", async () => {
    expect(await slowed(503, (now) => new Date(now - 9_000).toUTCString())).toEqual({ text: "hello", slept: [] });
    await host?.close();
    expect(await slowed(503, () => "0")).toEqual({ text: "hello", slept: [] });
  });

  it("that is neither is passed over", async () => {
    const { text, slept } = await slowed(503, () => "soon");
    expect(text).toBe("hello");
    expect(slept[0]).toBeLessThan(250);
  });

  it("of exactly 30 s is waited for, of more is given up, and the caller is told how long it is", async () => {
    expect((await slowed(429, () => "30")).slept).toEqual([30_000]);
    await host?.close();
    const { text, slept } = await slowed(429, () => "31");
    expect(text).toMatchObject({ code: "http_4xx", data: { status: 429, retryAfterMs: 31_000 } });
    expect(slept).toEqual([]);
    expect(host?.requests).toHaveLength(1);
  });

  it("is told with the error also after the last try", async () => {
    host = await startHost((_req, res) => res.writeHead(503, { "Retry-After": "0" }).end());
    const error = await failure(downloadText(host.url, 100, SIGNAL, eagerPorts));
    expect(error).toMatchObject({ code: "http_5xx", data: { status: 503, retryAfterMs: 0 } });
    expect(host.requests).toHaveLength(4);
  });
});
