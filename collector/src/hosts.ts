// Decides which `Host` headers are expected, so that no page can read the collector under a name of its own (DNS rebinding); pure.
import { isIP } from "node:net";

/** Whether a request with this `Host` may read. */
export type IsExpectedHost = (header: string | undefined) => boolean;

/** `host` is the address to listen on. Throws when a name is not valid. */
export function createHosts(host: string, allowHosts: readonly string[]): IsExpectedHost {
  const names = new Set(allowHosts.map(toName));
  names.add(host.toLowerCase());
  return (header) => {
    // Every browser sends the header.
    if (header === undefined) return true;
    const name = nameOf(header);
    if (name === null) return false;
    // A page needs a name to change where it points to; an address always points to itself, and "localhost" to this machine.
    return isIP(name) !== 0 || name === "localhost" || name.endsWith(".localhost") || names.has(name);
  };
}

/** In lower case, without its port, without the dot that may end it; null when the header is no host. */
function nameOf(header: string): string | null {
  if (/[/@?#\\\s]/.test(header) || !URL.canParse(`http://${header}`)) return null;
  const { hostname } = new URL(`http://${header}`);
  return hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
}

function toName(text: string): string {
  const name = nameOf(text);
  if (name === null || name === "" || /:\d*$/.test(text))
    throw new Error(`"${text}" is not a host name; write it as collector or telemetry.shop.example, without a port.`);
  return name;
}
