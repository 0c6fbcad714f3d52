// The pipeline's receiver: only what is signed starts a run, and each id once.
import { createHmac } from "node:crypto";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createReceiver, type RetrainRequest } from "../../../pipeline/receiver.js";

const SECRET = "a secret of the operator";
let server: Server;
let url: string;
let started: RetrainRequest[];
beforeEach(async () => {
  started = [];
  server = createReceiver({ secret: SECRET, model: "digits", start: (request) => void started.push(request) });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

const run = {
  id: "a".repeat(32),
  model: "digits",
  version: "1.0.0",
  trigger: "accuracy",
  evidence: {},
  at: "2026-11-28T10:00:00.000Z",
};

async function send(body: string, secret = SECRET): Promise<number> {
  const signature = `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
  return (await fetch(url, { method: "POST", body, headers: { "x-insitu-signature": signature } })).status;
}

it("starts a signed run once, however often it arrives", async () => {
  expect(await send(JSON.stringify(run))).toBe(202);
  expect(await send(JSON.stringify(run))).toBe(202);
  expect(started).toEqual([run]);
});

it("starts nothing that is not signed with its secret, or is not for it", async () => {
  const body = JSON.stringify(run);
  expect(await send(body, "another secret")).toBe(401);
  expect((await fetch(url, { method: "POST", body })).status).toBe(401);
  expect((await fetch(url, { method: "POST", body, headers: { "x-insitu-signature": "sha256=" } })).status).toBe(401);
  expect(await send(JSON.stringify({ ...run, model: "cats" }))).toBe(400);
  expect(await send(JSON.stringify({ ...run, id: "x" }))).toBe(400);
  expect(await send("null")).toBe(400);
  expect(await send("{")).toBe(400);
  expect(await send(JSON.stringify({ ...run, evidence: "x".repeat(300_000) }))).toBe(413);
  expect((await fetch(url)).status).toBe(405);
  expect(started).toEqual([]);
});
