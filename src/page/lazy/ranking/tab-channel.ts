// Sends a ranker's events to the site's other tabs, so that their order takes them into account.
import type { EventRow } from "./event-log.js";

export interface TabChannel {
  recorded(rows: EventRow[]): void;
  forgotten(): void;
  /** The receiver reads the stored events again. */
  imported(): void;
  close(): void;
}

type Message = { model: string; name: string } & (
  | { kind: "recorded"; rows: EventRow[] }
  | { kind: "forgotten" }
  | { kind: "imported" }
);

/** Without BroadcastChannel nothing is sent: other tabs use the events after their next reload. */
export function openTabChannel(
  channelName: string,
  model: string,
  name: string,
  listener: Omit<TabChannel, "close">,
): TabChannel {
  let channel = open(channelName);
  if (channel) {
    channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if (data.model !== model || data.name !== name) return;
      switch (data.kind) {
        case "recorded":
          return listener.recorded(data.rows);
        case "forgotten":
          return listener.forgotten();
        case "imported":
          return listener.imported();
        default:
          return data satisfies never;
      }
    };
  }
  const send = (message: Message) => channel?.postMessage(message);
  return {
    recorded: (rows) => send({ model, name, kind: "recorded", rows }),
    forgotten: () => send({ model, name, kind: "forgotten" }),
    imported: () => send({ model, name, kind: "imported" }),
    close() {
      channel?.close();
      // Posting to a closed channel throws.
      channel = undefined;
    },
  };
}

function open(name: string): BroadcastChannel | undefined {
  try {
    return new BroadcastChannel(name);
  } catch {
    return undefined;
  }
}
