// Tells the site's other open pages what was recorded here, so that one that stays open does not rank by less.
import type { EventRow } from "./event-log.js";

export interface TabChannel {
  recorded(rows: EventRow[]): void;
  forgotten(): void;
  /** Whoever hears it reads the log again. */
  imported(): void;
  close(): void;
}

type Message = { model: string; name: string } & (
  | { kind: "recorded"; rows: EventRow[] }
  | { kind: "forgotten" }
  | { kind: "imported" }
);

/** Without BroadcastChannel, or where a browser refuses it, nobody is told: the next page reads the log. */
export function openTabChannel(
  channelName: string,
  model: string,
  name: string,
  heard: Omit<TabChannel, "close">,
): TabChannel {
  const channel = open(channelName);
  if (channel) {
    channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if (data.model !== model || data.name !== name) return;
      switch (data.kind) {
        case "recorded":
          return heard.recorded(data.rows);
        case "forgotten":
          return heard.forgotten();
        case "imported":
          return heard.imported();
        default:
          return data satisfies never;
      }
    };
  }
  const tell = (message: Message) => channel?.postMessage(message);
  return {
    recorded: (rows) => tell({ model, name, kind: "recorded", rows }),
    forgotten: () => tell({ model, name, kind: "forgotten" }),
    imported: () => tell({ model, name, kind: "imported" }),
    close: () => channel?.close(),
  };
}

function open(name: string): BroadcastChannel | undefined {
  try {
    return new BroadcastChannel(name);
  } catch {
    return undefined;
  }
}
