// An empty registry for each test, and `insitu registry` on it as a process.
import { join } from "node:path";
import { insitu } from "./cli.js";
import { useRooms } from "./packages.js";

export function useRegistry() {
  const rooms = useRooms();
  /** The folder of a package that was written to `packages`. */
  const version = (name: string) => join(rooms.root, "packages", name);
  const registry = (command: string, ...args: string[]) =>
    insitu("registry", command, ...args, "--registry", rooms.folder);
  return {
    rooms,
    version,
    registry,
    add: (name: string, ...args: string[]) => registry("add", version(name), ...args),
    /** A path in the registry. */
    at: (path: string) => join(rooms.folder, path),
  };
}
