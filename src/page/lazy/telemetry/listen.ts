// Adds an event listener where there is a target for it.

/** Returns how to remove it. `target` is undefined outside a document. */
export function listen<E extends Event>(
  target: EventTarget | undefined,
  type: string,
  listener: (event: E) => void,
): () => void {
  target?.addEventListener?.(type, listener as EventListener);
  return () => target?.removeEventListener?.(type, listener as EventListener);
}
