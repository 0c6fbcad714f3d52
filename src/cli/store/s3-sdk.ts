// Loads the AWS SDK's client for S3, an optional peer dependency of insitu.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as Sdk from "@aws-sdk/client-s3";
import { InsituError } from "../../shared/errors.js";

const SDK = "@aws-sdk/client-s3";

export type SdkModule = typeof Sdk;

/** From where the command is installed, or from the app that it runs in. */
export async function loadSdk(): Promise<SdkModule> {
  for (const base of [import.meta.url, join(process.cwd(), "package.json")]) {
    try {
      return (await import(pathToFileURL(createRequire(base).resolve(SDK)).href)) as SdkModule;
    } catch {
      // Looked for in the next place.
    }
  }
  const message = `The npm package ${SDK}, which s3: addresses need, is not installed here. Run: npm install --save-dev ${SDK}`;
  throw new InsituError("input_invalid", message);
}
