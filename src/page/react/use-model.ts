// The hook `useModel`: loads a package while a component that needs it is mounted.
import { useCallback, useMemo, useSyncExternalStore } from "react";
import type { TaskKind } from "../../shared/types/manifest.js";
import { findClient, openClient, useProvidedClient } from "./client-context.js";
import { findModel, IDLE, LOADING, type ModelState, openModel, type UseModelOptions } from "./shared-model.js";

export type UseModelResult<K extends TaskKind = TaskKind> = ModelState<K> & {
  /** Loads again after an error; does nothing otherwise. Always the same function for the same URL and options. */
  retry(): void;
};

/**
 * Loads the package at `url` once for all components that ask for it with the same options. The load starts when the first of them is
 * mounted and is aborted when the last one is unmounted; a loaded model is freed 5 seconds after that. Without a URL (`undefined`, `null`)
 * nothing is loaded. On a server the status is `loading`.
 *
 * Never throws: `error` is what `client.load` rejected with.
 * @param options - As of `client.load`; compared by value, so that they need no `useMemo`.
 * @example
 * ```tsx
 * const { model, status, progress, error, retry } = useModel("/models/objects/", { task: "detection" });
 * if (status === "error") return <button onClick={retry}>{error.message}</button>;
 * if (status !== "ready") return <progress value={progress?.loaded ?? 0} max={progress?.total ?? 1} />;
 * ```
 */
export function useModel<K extends TaskKind = TaskKind>(
  url: string | URL | null | undefined,
  options: UseModelOptions<K> = {},
): UseModelResult<K> {
  const provided = useProvidedClient();
  const address = url ? String(url) : undefined;
  const key = JSON.stringify([address, options]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: key holds the URL and the options by value.
  const subscribe = useCallback(
    (listener: () => void) =>
      address === undefined
        ? () => undefined
        : openModel(openClient(provided), key, address, options as UseModelOptions).use(listener),
    [provided, key],
  );
  const first = address === undefined ? IDLE : LOADING;
  const state = useSyncExternalStore(
    subscribe,
    () => (address === undefined ? undefined : findModel(findClient(provided), key)?.state) ?? first,
    () => first,
  );
  const retry = useCallback(() => {
    const model = findModel(findClient(provided), key);
    if (model?.state.status === "error") void model.start();
  }, [provided, key]);
  // The options' `task` is what the load checks the package against.
  return useMemo(() => ({ ...(state as ModelState<K>), retry }), [state, retry]);
}
