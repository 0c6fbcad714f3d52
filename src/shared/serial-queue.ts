// Runs asynchronous jobs one after the other.

/** Runs a job once all jobs before it have settled, and returns the job's own promise. */
export type SerialQueue = <T>(job: () => Promise<T>) => Promise<T>;

/** A job that fails does not stop the next one. */
export function createSerialQueue(): SerialQueue {
  let last: Promise<unknown> = Promise.resolve();
  return (job) => {
    const result = last.then(job);
    last = result.catch(() => undefined);
    return result;
  };
}
