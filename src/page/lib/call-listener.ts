// Calls a function of the page.

/** An error of `listener` is reported as uncaught, as browsers do for event listeners, and has no other effect. */
export function callListener<T>(listener: ((value: T) => void) | undefined, value: T): void {
  try {
    listener?.(value);
  } catch (error) {
    reportError(error);
  }
}
