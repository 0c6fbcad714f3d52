#!/usr/bin/env node
// The command line: reads the options, starts the collector, ends it on SIGINT and SIGTERM.
import { Command, InvalidArgumentError } from "commander";
import { startCollector } from "./index.js";

interface Options {
  port: number;
  host: string;
  data: string;
  writeKey?: string;
  readToken?: string;
  allowOrigin: string[];
}

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65535) throw new InvalidArgumentError("It must be 0 to 65535.");
  return value;
}

const program = new Command("insitu-collector")
  .description("Receives what insitu measures in web pages (OTLP/HTTP JSON), keeps it in a DuckDB file, answers GET /metrics for Prometheus.")
  .option("--port <n>", "port to listen on; 0 takes a free one", port, 4318)
  .option("--host <address>", "address to listen on; 0.0.0.0 for all", "127.0.0.1")
  .option("--data <file>", "database file, made when missing", "./telemetry.db")
  .option("--write-key <key>", "public key that pages must send (X-Insitu-Key, or ?key=)")
  .option("--read-token <token>", "secret needed to read /metrics (Authorization: Bearer)")
  .option("--allow-origin <origin>", "origin whose pages may write, such as https://shop.example; may be repeated", (one, all: string[]) => [...all, one], [])
  .addHelpText("after", "\nExample:\n  insitu-collector --port 4318 --data ./telemetry.db --allow-origin https://shop.example");

program.parse();
const { allowOrigin, ...options } = program.opts<Options>();
try {
  const collector = await startCollector({ ...options, allowOrigins: allowOrigin });
  console.log(`insitu-collector listens on ${collector.url}, metrics at ${collector.url}/metrics`);
  const end = () => void collector.close().then(() => process.exit(0));
  process.once("SIGINT", end);
  process.once("SIGTERM", end);
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  const advice = code === "EADDRINUSE" ? " Pass another --port, or end what listens there." : "";
  console.error(`insitu-collector: ${message}.${advice}`);
  process.exit(1);
}
