// Sends a ranker's events to the site's other tabs, so that their order takes them into account.
import { randomHex } from "../../../shared/hex.js";
import type { EventRow } from "./event-log.js";

export interface TabChannel {
  /** The receiver reads the stored events instead, where it knows of another erase than the sender. */
  recorded(rows: EventRow[]): void;
  forgotten(): void;
  /** The receiver reads the stored events again. */
  imported(): void;
  close(): void;
}

type Message = { model: string; name: string } & (
  | { kind: "recorded"; rows: EventRow[]; erasure?: string }
  | { kind: "forgotten"; erasure: string }
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
  /** Identifies the last erase that this page knows of: what was recorded before it, and arrives after it, is not learned. */
  let erasure: string | undefined;
  if (channel) {
    channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if (data.model !== model || data.name !== name) return;
      switch (data.kind) {
        case "recorded":
          // One that was opened later knows of no erase.
          erasure ??= data.erasure;
          return data.erasure === erasure ? listener.recorded(data.rows) : listener.imported();
        case "forgotten":
          ({ erasure } = data);
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
    recorded: (rows) => send({ model, name, kind: "recorded", rows, erasure }),
    forgotten() {
      erasure = randomHex(8);
      send({ model, name, kind: "forgotten", erasure });
    },
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
