// Where a channel lies, as the commands see it: a file in a store, or a collector.
import type { Channel } from "../../shared/types/rollout.js";
import type { Change, ChangeRecord } from "../store/records.js";
import type { PackageSource } from "./package-source.js";
import type { ChannelAction, PublishOptions } from "./release-options.js";

/** The stable arm of an earlier release; a collector keeps no paths. */
export interface StableArm {
  version: string;
  package?: string;
}

/** A channel as it is in force. */
export interface ChannelState {
  channel: Channel;
  text: string;
  /** The highest release that was ever made here; the next is one more. */
  highest: number;
  /** What is wrong with the file, where its records say what is in force. */
  note?: string;
  /** Names this state for a conditional write. */
  etag?: string;
}

export interface ChannelTarget {
  /** The path or the address, for messages. */
  where: string;
  /** Where its arms' packages are read and verified. */
  packages: PackageSource;
  /** Undefined when there is no channel yet. `repairs` (default: true) also completes what a killed publisher left. */
  read(repairs?: boolean): Promise<ChannelState | undefined>;
  /** Publishes the record if `before` is still in force; otherwise returns false. */
  commit(before: ChannelState | undefined, record: ChangeRecord): Promise<boolean>;
  /** The changes, oldest first. */
  history(): Promise<Change[]>;
  /** What follows a release that was committed, such as the index of a registry; returns what it did, in lines. */
  after(channel: Channel, action: ChannelAction, options: PublishOptions): Promise<string[]>;
  /** The stable arms of all releases that are known, newest first, the present one included. */
  stableArms(): Promise<StableArm[]>;
}
