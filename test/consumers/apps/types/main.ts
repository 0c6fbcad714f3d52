// Uses every entry of the library as an app does; only its types are checked.
import { type ClassScore, createClient, InsituError, isInsituError, type Model } from "insitu";
import { InsituProvider, type UseModelResult, useModel, usePrediction } from "insitu/react";
import "insitu/worker";

const client = createClient({ backends: ["wasm"] });

export async function classify(image: Blob): Promise<ClassScore | undefined> {
  try {
    const model: Model<"classification"> = await client.load("/models/digits/", { task: "classification" });
    return (await model.predict(image, { top: 1 })).value[0];
  } catch (error) {
    if (isInsituError(error) && error instanceof InsituError && error.code === "network") return undefined;
    throw error;
  }
}

export function useLabel(image: Blob | undefined): string {
  const loading: UseModelResult<"detection"> = useModel("/models/objects/", { task: "detection" });
  const { status, prediction } = usePrediction(loading.model, image, { minScore: 0.5 });
  if (loading.status === "error") return loading.error.code;
  // @ts-expect-error: once the error is excluded, there is none.
  loading.error.code;
  // @ts-expect-error: a detection has no `top`.
  usePrediction(loading.model, image, { top: 1 });
  return status === "done" ? (prediction.value[0]?.label ?? "nothing") : status;
}

// @ts-expect-error: the provider needs a client.
InsituProvider({});
