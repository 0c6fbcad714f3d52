// Waits for the next task of the event loop without a timer.

/**
 * Resolves in a later task, after messages that have already arrived. Unlike `setTimeout` it is not clamped to 4 ms, and not throttled in
 * a hidden page.
 */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
