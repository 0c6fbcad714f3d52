// Decides when a page asks whether its channel has changed: at an interval, when it is seen again, when it is online again; one tab at a time.

export interface PollDeps {
  /** Address of the channel. */
  url: string;
  storeName: string;
  /** Milliseconds; 0: never. */
  every: number;
  /** When the host answered last, in epoch milliseconds. */
  checkedAt: number | undefined;
  /** Asks the host. Never rejects. */
  check(): Promise<void>;
  /** Another tab has asked, or has left a version: what is stored may be new. */
  reread(): void;
  /** Aborted when the model is disposed. */
  signal: AbortSignal;
}

export interface Poll {
  /** Tells the other tabs that something is new. */
  announce(): void;
}

// Visitors whose network comes back at the same time must not all ask in the same second.
const SPREAD_MS = 10_000;
const SEEN_SPREAD_MS = 1_000;
/** The interval is that of a plan, not of a clock: up to a tenth more or less. */
const JITTER = 0.1;
// What a timer can wait for; more would be 0.
const MAX_TIMER_MS = 2 ** 31 - 1;

export function startPoll(deps: PollDeps): Poll {
  const { url, storeName, every, check, reread, signal } = deps;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let askedAt = performance.now();
  let isDue = false;

  const plan = (ms: number) => {
    clearTimeout(timer);
    if (every > 0 && !signal.aborted) timer = setTimeout(poll, Math.min(ms, MAX_TIMER_MS));
  };
  const next = () => plan(every * (1 - JITTER + 2 * JITTER * Math.random()));
  const soon = (spread: number) => plan(Math.random() * Math.min(spread, every));
  const other = openChannel(`insitu:${storeName}:channels`);
  const announce = () => other?.postMessage(url);

  const poll = async () => {
    // What a hidden page does not ask, it asks when it is seen.
    isDue = globalThis.document?.visibilityState === "hidden";
    if (isDue) return;
    await ifNoOtherTab(`insitu:${storeName}:poll:${url}`, async () => {
      askedAt = performance.now();
      await check();
      announce();
    });
    next();
  };
  const onOnline = () => soon(SPREAD_MS);
  const onVisible = () => {
    if (document.visibilityState === "visible" && (isDue || performance.now() - askedAt >= every)) soon(SEEN_SPREAD_MS);
  };

  if (other) {
    other.onmessage = ({ data }) => {
      if (data !== url) return;
      askedAt = performance.now();
      next();
      reread();
    };
  }
  if (every > 0) {
    globalThis.addEventListener?.("online", onOnline);
    globalThis.document?.addEventListener("visibilitychange", onVisible);
    const age = Date.now() - (deps.checkedAt ?? Number.NEGATIVE_INFINITY);
    // A clock that was set back says nothing.
    if (age >= 0 && age < every) plan(every - age);
    else soon(SPREAD_MS);
  }
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    globalThis.removeEventListener?.("online", onOnline);
    globalThis.document?.removeEventListener("visibilitychange", onVisible);
    other?.close();
  });
  // Posting to a closed channel throws.
  return { announce: () => signal.aborted || announce() };
}

/** Does nothing where another tab does the same now. Where there are no locks every tab does it. */
async function ifNoOtherTab(name: string, run: () => Promise<void>): Promise<void> {
  let began = false;
  const once = async () => {
    began = true;
    await run();
  };
  try {
    await (navigator.locks?.request(name, { ifAvailable: true }, async (lock) => lock && once()) ?? once());
  } catch {
    // Chrome refuses all locks where a page may store nothing.
    if (!began) await once();
  }
}

function openChannel(name: string): BroadcastChannel | undefined {
  try {
    return new BroadcastChannel(name);
  } catch {
    return undefined;
  }
}
