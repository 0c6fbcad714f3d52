// Refuses what needs cryptography on pages where browsers offer none.
import { InsituError } from "./errors.js";

/** Throws `insecure_context` on a page that is not a secure context: plain http, other than localhost. */
export function requireSecureContext(what: string): void {
  if (globalThis.isSecureContext !== false) return;
  const message = `${what} needs encryption, which browsers offer to secure pages only. Serve the page over https, or open it on localhost.`;
  throw new InsituError("insecure_context", message);
}
