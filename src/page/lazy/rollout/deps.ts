// What a rollout needs of its client.
import type { OpenPackage } from "../../version.js";
import type { RolloutControl } from "./control.js";
import type { ReadDeps } from "./known-channel.js";

export type RolloutDeps = ReadDeps &
  RolloutControl["deps"] & {
    storeName: string;
    open: OpenPackage;
    every: number;
    /** Bytes of packages above which two versions are not open at the same time. */
    maxBytes: number;
    /** Aborted when the client is disposed. */
    clientEnd: AbortSignal;
  };
