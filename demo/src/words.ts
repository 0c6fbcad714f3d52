// Numbers and phases as a person reads them.
import type { LoadPhase, LoadProgress } from "insitu";

/** `12.3 ms`, `1.20 s`. */
export function duration(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms.toFixed(ms < 100 ? 1 : 0)} ms`;
}

/** `4.2 MB`, decimal as file managers show it. */
export function bytes(count: number): string {
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)} MB`;
  return `${Math.round(count / 1e3)} kB`;
}

export function percent(share: number): string {
  const value = share * 100;
  // 100 % would claim a certainty that the rounding made up.
  if (value >= 99.95 && share < 1) return "> 99.9 %";
  return `${value.toFixed(value < 10 ? 1 : 0)} %`;
}

const PHASES: Record<LoadPhase, string> = {
  download: "downloading",
  verify: "checking what was downloaded",
  store: "keeping it for the next visit",
  compile: "preparing it for this device",
  warmup: "warming up",
};

/** `Model objects: downloading, 1.2 of 4.2 MB.` */
export function progressInWords(model: string, { phase, loaded, total }: LoadProgress): string {
  const size = phase === "download" ? `, ${(loaded / 1e6).toFixed(1)} of ${bytes(total)}` : "";
  return `Model ${model}: ${PHASES[phase]}${size}.`;
}
