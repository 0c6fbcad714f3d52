// Formats numbers and phases for people.
import type { LoadPhase, LoadProgress } from "insitu";

/** `12.3 ms`, `1.20 s`. */
export function duration(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms.toFixed(ms < 100 ? 1 : 0)} ms`;
}

/** `4.2 MB`, in decimal units. */
export function bytes(count: number): string {
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)} MB`;
  return `${Math.round(count / 1e3)} kB`;
}

export function percent(share: number): string {
  const value = share * 100;
  // Rounding to 100 % would suggest certainty.
  if (value >= 99.95 && share < 1) return "> 99.9 %";
  return `${value.toFixed(value < 10 ? 1 : 0)} %`;
}

const PHASES: Record<LoadPhase, string> = {
  download: "downloading",
  verify: "verifying the download",
  store: "storing it for the next visit",
  compile: "compiling it for this device",
  warmup: "warming up",
};

/** `Model objects: downloading, 1.2 of 4.2 MB.` */
export function progressInWords(model: string, { phase, loaded, total }: LoadProgress): string {
  const size = phase === "download" ? `, ${(loaded / 1e6).toFixed(1)} of ${bytes(total)}` : "";
  return `Model ${model}: ${PHASES[phase]}${size}.`;
}
