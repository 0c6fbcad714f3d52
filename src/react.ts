// The entry `insitu/react`: lists the hooks and their types; holds no logic.

export { InsituProvider, type InsituProviderProps } from "./page/react/client-context.js";
export type { ModelState, ModelStatus, UseModelOptions } from "./page/react/shared-model.js";
export { type UseModelResult, useModel } from "./page/react/use-model.js";
export {
  type PredictionState,
  type PredictionStatus,
  type UsePredictionOptions,
  usePrediction,
} from "./page/react/use-prediction.js";
