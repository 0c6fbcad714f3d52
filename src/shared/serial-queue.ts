// Runs asynchronous jobs one after the other.

/**
 * Returns a function that runs a job once all jobs before it have settled, and returns the job's own promise. A job that fails does
 * not stop the next one.
 */
export function createSerialQueue(): <T>(job: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (job) => {
    const result = last.then(job);
    last = result.catch(() => undefined);
    return result;
  };
}
