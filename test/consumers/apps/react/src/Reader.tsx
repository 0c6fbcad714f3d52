// One component with both hooks; tells what they return, in attributes.
import { useModel, usePrediction } from "insitu/react";
import type { Scene } from "./App";

declare global {
  interface Window {
    /** What the hooks returned, render by render. */
    renders: string[];
  }
}

export function Reader({ id, url, input, top }: Omit<Scene, "readers"> & { id: string }) {
  const { model, status, progress, error, retry } = useModel(url, { task: "classification" });
  const reading = usePrediction(model, input, { top });
  const label: string | undefined = reading.prediction?.value[0]?.label;
  window.renders ??= [];
  window.renders.push(`${id} ${status} ${reading.status} ${label ?? "-"}`);
  return (
    <button
      id={id}
      type="button"
      onClick={retry}
      data-status={status}
      data-code={error?.code}
      data-loaded={progress?.loaded}
      data-reading={reading.status}
      data-failure={reading.error?.code}
      data-label={label}
      data-classes={reading.prediction?.value.length}
    >
      first edition
    </button>
  );
}
