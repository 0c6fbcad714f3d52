// Reads the option `trustProxy`: whose `X-Forwarded-For` is believed.
import ipaddr from "ipaddr.js";

/** The number of proxies in front, or their addresses: IPs, CIDR ranges, or a name of `NAMED`. */
export type TrustProxy = number | readonly string[];

// Names that Fastify (proxy-addr) has for ranges.
const NAMED = new Set(["loopback", "linklocal", "uniquelocal"]);

// No site has more proxies in a row; a larger number is a mistake.
const MAX_HOPS = 16;

type Trust = (address: string, hop: number) => boolean;

const HELP =
  "Write how many proxies are in front (1), or their addresses (10.0.0.7,10.1.0.0/16,loopback). " +
  "To trust every address would let each sender invent its own.";

/** Fastify's `trustProxy`. Throws when the value would let any sender name its own address. */
export function toFastify(value: TrustProxy | undefined): Trust | string[] | false {
  if (value === undefined) return false;
  // Not Fastify's own number: it trusts nothing then, since it cannot know who is in front.
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= MAX_HOPS)
    return (_address, hop) => hop < value;
  if (!Array.isArray(value) || value.length === 0) throw new Error(`trustProxy cannot be ${String(value)}. ${HELP}`);
  const wrong = value.find((one) => !isRange(one));
  if (wrong !== undefined) throw new Error(`trustProxy cannot be "${wrong}". ${HELP}`);
  return [...value];
}

function isRange(value: unknown): boolean {
  if (typeof value !== "string") return false;
  if (NAMED.has(value) || ipaddr.isValid(value)) return true;
  // A range of length 0 is every address.
  return ipaddr.isValidCIDR(value) && ipaddr.parseCIDR(value)[1] > 0;
}

/**
 * The sender as rate limits know it: an IPv4 address, or the first 64 bits of an IPv6 address, since a provider gives each customer as
 * many addresses as that.
 */
export function senderOf(address: string): string {
  // Some proxies append the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. Each would be another sender.
  const [, inBrackets, withPort] = /^(?:\[([^\]]*)\](?::\d+)?|([^:]*):\d+)$/.exec(address) ?? [];
  const plain = (inBrackets ?? withPort ?? address).split("%")[0] as string;
  // What is no address has one limit for all who send such.
  if (!ipaddr.isValid(plain)) return "not an address";
  const parsed = ipaddr.process(plain);
  if (parsed.kind() === "ipv4") return parsed.toString();
  return ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toNormalizedString().split("%")[0]}/64`).toString();
}
