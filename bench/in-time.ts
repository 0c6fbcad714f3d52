// Gives up waiting for a page that hangs, so that one row fails and not the whole run.

export async function inTime<T>(work: Promise<T>, minutes: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} hung: no answer after ${minutes} minutes.`)), minutes * 60_000);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
