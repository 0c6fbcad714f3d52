// Counts what is open, of each sender and of all.

export interface SenderTally {
  of(sender: string): number;
  all(): number;
  add(sender: string): void;
  remove(sender: string): void;
}

/** Senders without anything open take no memory. */
export function createSenderTally(): SenderTally {
  const counts = new Map<string, number>();
  let all = 0;
  const of = (sender: string) => counts.get(sender) ?? 0;
  return {
    of,
    all: () => all,
    add(sender) {
      counts.set(sender, of(sender) + 1);
      all += 1;
    },
    remove(sender) {
      if (of(sender) > 1) counts.set(sender, of(sender) - 1);
      else counts.delete(sender);
      all -= 1;
    },
  };
}
