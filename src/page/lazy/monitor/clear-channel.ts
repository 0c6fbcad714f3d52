// Tells the site's other tabs that a model's outcomes were cleared: what they hold, and have not written yet, must go too.

export interface ClearChannel {
  cleared(): void;
  close(): void;
}

/** Without BroadcastChannel the other tabs are not told. */
export function openClearChannel(name: string, model: string, onCleared: () => void): ClearChannel {
  let channel: BroadcastChannel | undefined;
  try {
    channel = new BroadcastChannel(name);
    channel.onmessage = ({ data }: MessageEvent<string>) => void (data === model && onCleared());
  } catch {
    // An old browser, or a page that may not.
  }
  return {
    cleared: () => channel?.postMessage(model),
    close() {
      channel?.close();
      // Posting to a closed channel throws.
      channel = undefined;
    },
  };
}
