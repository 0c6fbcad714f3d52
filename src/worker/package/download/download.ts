// Fetches the missing chunks of a package: several requests at once, each resumed where it broke off.
import { onAbort } from "../../../shared/abort.js";
import type { ChunkSpec } from "../../../shared/types/manifest.js";
import { sha256 } from "../../lib/sha256.js";
import type { Platform } from "../platform.js";
import { type Backoff, createBackoff } from "./backoff.js";
import { type HttpResponse, request } from "./http.js";
import { altered, receive, wrongLength } from "./receive.js";

/** A file and which of its chunks are wanted. */
export interface WantedFile {
  url: string;
  chunks: ChunkSpec[];
  /** Indices into `chunks`, ascending, at least one. */
  missing: number[];
}

export interface DownloadOptions {
  signal: AbortSignal;
  ports: Platform;
  /** Called with the number of bytes of wanted chunks that just arrived; negative for bytes that turned out useless. */
  onBytes?: (bytes: number) => void;
  /** Gets each chunk once it is verified; that request goes on when it resolves. */
  onChunk: (chunk: ChunkSpec, bytes: ArrayBuffer) => Promise<void>;
}

// Browsers open six connections to an HTTP/1.1 host; two are left to the page.
const CONNECTIONS = 4;
// A request for 16 MiB keeps a fast line busy, and a file of 64 MiB uses all connections.
const CHUNKS_PER_REQUEST = 4;

/**
 * Throws `network`, `http_4xx`, `http_5xx`, `timeout` (no byte for 15 s), `aborted`, or `model_integrity` when a body is
 * longer than the manifest says, or twice shorter or other. What was given to `onChunk` stays good.
 */
export async function downloadChunks(files: WantedFile[], options: DownloadOptions): Promise<void> {
  const stop = new AbortController();
  // Not AbortSignal.any: Chrome has it from 116, Firefox from 124, Safari from 17.4 on.
  const unlink = onAbort(options.signal, () => stop.abort());
  const inner = { ...options, signal: stop.signal };
  const backoff = createBackoff(options.ports, inner.signal);
  const jobs = files.flatMap(plan);
  let failed = false;
  let failure: unknown;
  const work = async () => {
    for (let job = jobs.shift(); job; job = jobs.shift()) await transfer(job, backoff, inner);
  };
  const connections = Array.from({ length: Math.min(CONNECTIONS, jobs.length) }, () =>
    work().catch((error: unknown) => {
      // The first is the cause; the others then fail because they are stopped.
      if (!failed) failure = error;
      failed = true;
      stop.abort();
    }),
  );
  await Promise.all(connections);
  unlink();
  if (failed) throw failure;
}

/** What the requests for one file share. */
interface SharedFile extends WantedFile {
  size: number;
  /** Where each chunk begins. */
  offsets: number[];
  /** Strong validator of the first answer; "" once it turned out that it may not be sent. */
  etag?: string;
  /** Resolves once the first answer shows whether the host keeps to ranges. */
  ranges: Promise<boolean>;
  /** Only its first call counts. */
  setRanges: (kept: boolean) => void;
  rangesKnown: boolean;
}

/** Missing chunks that one request can bring. */
interface Job {
  file: SharedFile;
  /** Indices, ascending. */
  wanted: number[];
  /** The file's first job; the others wait for what its answer shows. */
  leads: boolean;
  /** The next request is for the whole file. */
  plain?: boolean;
}

function plan(wanted: WantedFile): Job[] {
  let resolveRanges: (kept: boolean) => void = () => undefined;
  const ranges = new Promise<boolean>((resolve) => {
    resolveRanges = resolve;
  });
  const setRanges = (kept: boolean) => {
    file.rangesKnown = true;
    resolveRanges(kept);
  };
  let size = 0;
  const offsets = wanted.chunks.map((chunk) => {
    size += chunk.size;
    return size - chunk.size;
  });
  const file: SharedFile = { ...wanted, size, offsets, ranges, setRanges, rangesKnown: false };
  const jobs: Job[] = [];
  for (const index of wanted.missing) {
    const job = jobs.at(-1);
    if (job && job.wanted.at(-1) === index - 1 && job.wanted.length < CHUNKS_PER_REQUEST) job.wanted.push(index);
    else jobs.push({ file, wanted: [index], leads: jobs.length === 0 });
  }
  return jobs;
}

/** Carries one job to its end, over as many requests as that takes. */
async function transfer(job: Job, backoff: Backoff, options: DownloadOptions): Promise<void> {
  const { file } = job;
  if (file.size === 0) return emptyFile(file, options);
  // A lead whose host ignores ranges brings the whole file.
  if (!job.leads && !(await file.ranges)) return;
  let wrongCopies = 0;
  try {
    await backoff.retry(
      async (progressed) => {
        if (job.wanted.length === 0) return;
        const answer = await ask(job, options);
        await receive(answer, file, job.wanted, {
          onBytes: options.onBytes,
          async onChunk(index, bytes) {
            await options.onChunk(file.chunks[index] as ChunkSpec, bytes);
            job.wanted = job.wanted.filter((other) => other !== index);
            wrongCopies = 0;
            progressed();
          },
        });
      },
      // Bytes that were damaged or lost on the way are right the second time; a host that has others sends them again. Bytes
      // beyond the file's end are no damage of the way.
      ({ code }) => code === "model_integrity" && job.wanted.length > 0 && wrongCopies++ === 0,
    );
  } finally {
    // Also after a failure, or those who wait would wait for good.
    if (job.leads) file.setRanges(false);
  }
}

async function ask(job: Job, { signal, ports }: DownloadOptions): Promise<HttpResponse> {
  const { file } = job;
  const last = job.wanted.at(-1) as number;
  const from = file.offsets[job.wanted[0] as number] as number;
  const to = (file.offsets[last] as number) + (file.chunks[last] as ChunkSpec).size;
  const part = (from > 0 || to < file.size) && !job.plain;
  const ifRange = file.etag;
  job.plain = false;
  const answer = await request(file.url, { signal, ...(part && { range: { from, to }, ifRange }) }, ports).catch(
    (error: { code: string; data: { status?: number } }) => {
      // The host's file ends before this part.
      if (error.data.status === 416) throw wrongLength(file.url, file.size, from, "fewer");
      // Browsers ask hosts of another origin for permission to send If-Range, and old ones to send Range; many hosts do not
      // answer that. It looks like a network that failed, so without the header it is tried once more, then as before.
      if (part && error.code === "network") {
        if (ifRange) file.etag = "";
        else job.plain = job.leads;
      }
      throw error;
    },
  );
  // The hosts behind one name may give one file different ETags: each request would bring it whole. The hashes decide.
  if (part && ifRange && !answer.partial) file.etag = "";
  file.etag ??= answer.etag;
  if (answer.total !== undefined && answer.total !== file.size) {
    await answer.body.return();
    throw wrongLength(file.url, file.size, answer.total, answer.total > file.size ? "more" : "fewer");
  }
  if (job.leads && !file.rangesKnown) {
    // The whole file comes: no other request needs to bring the rest.
    if (!answer.partial) job.wanted = file.missing.filter((index) => index >= (job.wanted[0] as number));
    file.setRanges(answer.partial);
  }
  return answer;
}

/** No request brings a body of no bytes. */
async function emptyFile({ url, chunks }: SharedFile, options: DownloadOptions): Promise<void> {
  const [chunk] = chunks as [ChunkSpec];
  const actual = await sha256(new Uint8Array(0));
  if (actual !== chunk.sha256) throw altered(url, 0, chunk.sha256, actual);
  await options.onChunk(chunk, new ArrayBuffer(0));
}
