// A promise with a deadline, for calls that browsers are known to leave unanswered.

/**
 * Settles as `promise` does, or rejects with what `onLate` returns once `ms` milliseconds have passed.
 * @param onLate - Makes the error; called only when the deadline has passed.
 */
export async function withDeadline<T>(promise: Promise<T>, ms: number, onLate: () => Error): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(onLate()), ms);
  });
  try {
    return await Promise.race([promise, expiry]);
  } finally {
    clearTimeout(timer);
  }
}
