// The code that reads channels, which only pages with a channel need.
import { lateCode } from "../lib/late-code.js";
import type { noteRollout, readChannel } from "./channel.js";

export const channelCode = lateCode<{ readChannel: typeof readChannel; noteRollout: typeof noteRollout }>();
