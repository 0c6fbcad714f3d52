// Counts a worker's calls of the platform by kind, and makes the call that the worker's URL names fail.

const query = new URLSearchParams(location.search);
export const target = { kind: query.get("kind"), n: Number(query.get("n")), mode: query.get("mode") ?? "" };
const counts: Record<string, number> = {};
const send = self.postMessage.bind(self) as (message: unknown) => void;
/** The platform's own. */
export const delay = setTimeout;

// The library's listener ignores what is not a message of comlink's.
addEventListener("message", ({ data }) => {
  if (data === "fault-counts") send({ faultCounts: counts });
});

/** True for the call that is to be broken. */
export function isDue(kind: string): boolean {
  counts[kind] = (counts[kind] ?? 0) + 1;
  if (kind !== target.kind || counts[kind] !== target.n) return false;
  send({ faultFired: true });
  return true;
}

// biome-ignore lint/suspicious/noExplicitAny: it stands for any function of the platform.
export type Native = (...given: any[]) => any;
/** What happens instead of a call, by mode. */
// biome-ignore lint/suspicious/noExplicitAny: each knows what it is called with.
type Faults = Record<string, (native: Native, self: any, given: any) => unknown>;

/** Calls after which a worker may die: those that change something outside of it or wait for it. */
function crashAfter(kind: string): void {
  if (kind.startsWith("clock") || kind === "timer" || kind === "post" || !isDue("op")) return;
  if (target.mode === "error") reportError(new Error("The worker was made to crash."));
  if (target.mode === "close") self.close();
  if (target.mode === "stuck") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

export function patch(owner: object, name: string, kind: string, faults: Faults): void {
  const methods = owner as Record<string, Native>;
  const native = methods[name] as Native;
  methods[name] = function (this: never, ...given: never[]) {
    const fault = isDue(kind) ? faults[target.mode] : undefined;
    const result = fault ? fault(native, this, given) : native.apply(this, given);
    crashAfter(kind);
    return result;
  };
}

export const failure = (name: string) => new DOMException(`The test made this fail (${name}).`, name);
export const throws = (name: string) => () => {
  throw failure(name);
};
export const rejects = (name: string) => () => Promise.reject(failure(name));
