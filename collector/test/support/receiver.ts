// A real HTTP receiver of webhooks, whose answer each test writes.
import { createServer, type IncomingHttpHeaders, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Received {
  /** When it arrived, epoch milliseconds. */
  at: number;
  headers: IncomingHttpHeaders;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the tests compare it whole.
  body: any;
}

export interface Receiver {
  url: string;
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
    receiver.got.push({ at, headers: request.headers, text, body: JSON.parse(text) });
    receiver.answer(response, receiver.got.length);
  };
  const server = createServer((request, response) => void listener(request, response));
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  receiver.port = (server.address() as AddressInfo).port;
  receiver.url = `http://127.0.0.1:${receiver.port}/hooks/retrain`;
  receiver.close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return receiver;
}
