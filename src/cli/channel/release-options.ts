// The options that every command which writes a release takes, and the names of what it does.
import type { WhoOptions } from "../who.js";

export type ChannelAction = "start" | "raise" | "hold" | "promote" | "rollback" | "alias";

export interface PublishOptions extends WhoOptions {
  /** Paths of private keys. */
  sign?: string[];
  /** Allows to publish without a signature what was signed. */
  unsigned?: boolean;
  /** Allows to go on from a signed channel that was changed since it was signed. */
  edited?: boolean;
  /** ISO 8601, or `never`. */
  expires?: string;
  /** The release number to publish, instead of the next. */
  release?: number;
  /** Allows a release far above the one before. */
  largeStep?: boolean;
  /** Refuses unless this release is in force. */
  ifRelease?: number;
}
