// The version of this build, by which the worker and the files that it imports know each other.
declare const INSITU_VERSION: string | undefined;

/** Empty in the sources, which no build has put a version into. */
export const VERSION = typeof INSITU_VERSION === "string" ? INSITU_VERSION : "";
