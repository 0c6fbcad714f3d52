// Shows which models are loaded, the backend in use, and why the others are not used.
import type { Backend, ModelInfo } from "insitu";
import { byId, make } from "./dom.js";
import { bytes, duration } from "./words.js";

const SOURCES: Record<ModelInfo["source"], string> = {
  network: "network (stored for the next visit)",
  cache: "cache (stored in this browser)",
  memory: "memory (already loaded)",
};

export function showModels(models: ModelInfo[], loadedBytes: ReadonlyMap<string, number>): void {
  const rows = models.flatMap((info) => {
    const size = loadedBytes.get(info.name);
    const from = SOURCES[info.source] + (info.source === "network" && size ? `, ${bytes(size)}` : "");
    return [
      row(info.name, `${info.version}, release ${info.release}`),
      row("source", info.storeError ? `network; it could not be stored: ${info.storeError.message}` : from),
      row("digest", make("code", "", info.digest.slice(0, 16))),
    ];
  });
  byId("model", HTMLElement).replaceChildren(...rows.flat());
}

function row(name: string, value: string | Node): [HTMLElement, HTMLElement] {
  return [make("dt", "", name), make("dd", "", value)];
}

/** Lists the backend in use first, then each refused one with the reason. */
export function showBackends({ backend, refused, measured }: ModelInfo): void {
  const speed = (name: Backend) => {
    const found = measured.find((one) => one.backend === name);
    return found ? `, ${duration(found.p50Ms)} per prediction` : "";
  };
  const used = make("li", "", make("strong", "", backend), ` in use${speed(backend)}`);
  const others = refused.map(({ backend: name, reason }) =>
    make("li", "", make("strong", "", name), " not used", make("p", "", reason)),
  );
  byId("backends", HTMLElement).replaceChildren(used, ...others);
}
