// Packages beside a channel on a web server: they are downloaded to be verified, as a page would load them.
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { InsituError } from "../../shared/errors.js";
import { pathProblem } from "../../shared/package-path.js";
import { tooLarge } from "../store/object-store.js";
import { verifyPackage } from "../verify.js";
import { statusError } from "./http.js";
import { armPackage, copyPackage, namedAs, type PackageSource } from "./package-source.js";
import type { ArmPackage } from "./plan.js";

// Of one file; the largest has 4 GiB.
const TIMEOUT = 30 * 60_000;

export class HttpPackages implements PackageSource {
  /** `base` is the channel's address, or that of its folder with a slash at the end. */
  constructor(readonly base: string) {}

  async find(given: string): Promise<ArmPackage> {
    const path = given.replace(/^\.\//, "").replace(/\/+$/, "");
    const problem = path === "" ? "is empty" : pathProblem(path);
    if (problem)
      throw new InsituError("input_invalid", `${JSON.stringify(given)} ${problem}. Pass the package's path.`);
    const address = new URL(`${path}/`, this.base).href;
    const folder = await mkdtemp(join(tmpdir(), "insitu-package-"));
    try {
      await copyPackage((file, to, maxBytes) => download(new URL(file, address).href, to, maxBytes), folder, address);
      const { manifest } = await namedAs(address, folder, () => verifyPackage(folder));
      return armPackage(path, manifest);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

async function download(url: string, to: string, maxBytes: number): Promise<boolean> {
  try {
    const response = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT) });
    if (response.status === 404) return false;
    if (response.status !== 200 || !response.body)
      throw statusError(url, { status: response.status, headers: response.headers, text: "" });
    let size = 0;
    const limit = new Transform({
      transform(part: Buffer, _encoding, done) {
        size += part.length;
        done(size > maxBytes ? tooLarge(url, maxBytes) : null, part);
      },
    });
    await pipeline(
      Readable.fromWeb(response.body as import("node:stream/web").ReadableStream),
      limit,
      createWriteStream(to),
    );
    return true;
  } catch (cause) {
    if (cause instanceof InsituError) throw cause;
    const message = `${url} could not be downloaded: ${(cause as Error).message}. Check the address and the network.`;
    throw new InsituError("network", message, { url }, { cause });
  }
}
