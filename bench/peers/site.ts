// Which peers run which network, and what of them the bench's server has to hand out.
import type { Cores, NetworkName } from "../networks.js";
import type { Peer } from "../page/peers.js";

export interface PeerSite {
  mounts: Record<string, string>;
  of(model: NetworkName, cores: Cores): Peer[];
}

export const NO_PEERS: PeerSite = { mounts: {}, of: () => [] };
