// A real HTTP receiver of webhooks and of what is passed on, whose answer each test writes.
import { createServer, type IncomingHttpHeaders, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Received {
  /** When it arrived, epoch milliseconds. */
  at: number;
  /** The path with the query. */
  path: string;
  headers: IncomingHttpHeaders;
  text: string;
  /** The text as JSON; undefined when it is not JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: the tests compare it whole.
  readonly body: any;
}

export interface Receiver {
  /** Of a webhook. */
  url: string;
  origin: string;
  port: number;
  got: Received[];
  /** `number` counts from 1. */
  answer: (response: ServerResponse, number: number) => void;
  close(): Promise<void>;
}

export async function startReceiver(port = 0): Promise<Receiver> {
  const receiver = { got: [], answer: (response) => void response.end("{}") } as Partial<Receiver> as Receiver;
  const listener: RequestListener = async (request, response) => {
    const at = Date.now();
    let text = "";
    for await (const chunk of request) text += chunk;
    const { headers, url: path = "" } = request;
    receiver.got.push({ at, path, headers, text, body: jsonOf(text) });
    receiver.answer(response, receiver.got.length);
  };
  const server = createServer((request, response) => void listener(request, response));
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  receiver.port = (server.address() as AddressInfo).port;
  receiver.origin = `http://127.0.0.1:${receiver.port}`;
  receiver.url = `${receiver.origin}/hooks/retrain`;
  receiver.close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return receiver;
}

/** Undefined for what is none, such as several lines of JSON. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
