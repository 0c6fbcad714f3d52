// Measures the tasks of a page's main thread by the processor time that each took, which other programs on a busy machine do not change.
// The API for long tasks measures on the clock: beside a compiler tasks of 20 ms took 80 there. A task that only waits is not seen here.
import type { Page } from "playwright";

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  /** Microseconds of processor time. */
  tdur?: number;
  args: { name?: string };
}

/** What Chromium counts as a long task, by the same limit but in time on the clock, is one of these. */
const TASK = "RunTask";

/** Starts to record; the function that it resolves to ends it, and resolves to the milliseconds of each task of all pages' main threads. */
export async function recordTasks(page: Page): Promise<() => Promise<number[]>> {
  const session = await page.context().newCDPSession(page);
  const events: TraceEvent[] = [];
  session.on("Tracing.dataCollected", ({ value }) => {
    for (const event of value as unknown as TraceEvent[]) events.push(event);
  });
  const includedCategories = ["disabled-by-default-devtools.timeline"];
  await session.send("Tracing.start", { transferMode: "ReportEvents", traceConfig: { includedCategories } });
  return async () => {
    // A task is recorded when it has ended: the one that answered the test may not have yet.
    await page.evaluate(() => new Promise<void>((resolve) => setTimeout(resolve, 0)));
    const complete = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve));
    await session.send("Tracing.end");
    await complete;
    await session.detach();
    const threads = events.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain");
    const isMain = ({ pid, tid }: TraceEvent) => threads.some((thread) => thread.pid === pid && thread.tid === tid);
    const tasks = events.filter((event) => event.name === TASK && event.ph === "X" && isMain(event));
    // A browser that leaves the processor time out would let every page pass.
    const times = tasks.map(({ tdur }) => tdur ?? Number.POSITIVE_INFINITY);
    if (times.length === 0) throw new Error("The browser recorded no task of the page.");
    return times.map((time) => time / 1000);
  };
}
