// A run: one retraining that was asked for, its states, and the attempts to deliver its webhook.
import type { Evidence, TriggerName } from "./triggers.js";

/**
 * `pending`: the webhook is not delivered yet. `sent`: the receiver has it. `running`, `done`, `failed`: what the receiver reported.
 * `expired`: no word within the time limit. `dead`: the webhook could not be delivered (dead letter).
 */
export type RunState = "pending" | "sent" | "running" | "done" | "failed" | "expired" | "dead";

export interface Attempt {
  /** From 1. */
  number: number;
  /** Epoch milliseconds. */
  at: number;
  result: "ok" | "retry" | "refused";
  /** HTTP status; null without a response. */
  status: number | null;
  detail: string;
  durationMs: number;
}

export interface Run {
  /** 32 hex digits, random: the receiver knows by it what comes twice. */
  id: string;
  model: string;
  /** The stable version when it fired. */
  version: string;
  trigger: TriggerName;
  evidence: Evidence;
  /** Epoch milliseconds, as the other times. */
  firedAt: number;
  state: RunState;
  /** Of the last change of its state. */
  changedAt: number;
  /** When its webhook is sent next; null when it is not. */
  nextAt: number | null;
  /** Attempts since it was fired, or since the last `retry`. */
  tries: number;
  /** The version that the receiver reported. */
  newVersion: string | null;
  detail: string;
  attempts: Attempt[];
}

/** What is remembered of a model between checks. Times are epoch milliseconds. */
export interface ModelMemory {
  model: string;
  /** The stable version, and since when; an empty text before any was seen. */
  version: string;
  seenAt: number;
  /** Up to when the cron expression was looked at. */
  cronAt: number;
  /** Triggers that fired and have not recovered since. */
  disarmed: TriggerName[];
}

/** While a run of a model is in one of these, no other is started. */
export const isOpen = ({ state }: Run): boolean => state === "pending" || state === "sent" || state === "running";

export const hasFailed = ({ state }: Run): boolean => state === "failed" || state === "expired" || state === "dead";
