// A host of packages that holds bytes back until a test releases them.

import type { Route } from "./server.js";
import { bodyOf, findFile, GOOD_MANNERS, replyTo } from "./static.js";

export interface GatedHost {
  /** For `startServer`. */
  route: Route;
  /** URL prefix with both slashes, to the folder that is served there now. */
  folders: Map<string, string>;
  /** From now on the first `bytes` of each `.bin` file go out, and nothing of `model.json`; manifests always do. */
  hold(bytes: number): void;
  /** Lets out everything, also what waits. */
  release(): void;
}

export function gatedHost(): GatedHost {
  const folders = new Map<string, string>();
  const waiting = new Set<() => void>();
  let limit = Number.POSITIVE_INFINITY;

  const route: Route = (req, res) => {
    const path = (req.url ?? "/").split("?")[0] ?? "/";
    const [prefix, dir] = [...folders].find(([start]) => path.startsWith(start)) ?? [];
    const file = dir === undefined ? undefined : findFile(dir, path.slice(prefix?.length));
    if (!file) return false;
    const reply = replyTo(req, file, GOOD_MANNERS);
    const allowed = () => {
      if (path.endsWith("insitu.json") || limit === Number.POSITIVE_INFINITY) return reply.end;
      return path.endsWith(".bin") ? Math.min(reply.end, limit) : reply.start;
    };
    let at = reply.start;
    const go = () => {
      const end = allowed();
      if (end > at) res.write(bodyOf({ ...reply, start: at, end }));
      at = Math.max(at, end);
      if (at < reply.end) return;
      waiting.delete(go);
      res.end();
    };
    res.writeHead(reply.status, reply.headers).flushHeaders();
    res.once("close", () => waiting.delete(go));
    waiting.add(go);
    go();
    return true;
  };

  const letOut = (bytes: number) => {
    limit = bytes;
    for (const go of [...waiting]) go();
  };
  return { route, folders, hold: letOut, release: () => letOut(Number.POSITIVE_INFINITY) };
}
