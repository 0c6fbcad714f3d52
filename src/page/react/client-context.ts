// Which client the hooks use: that of the nearest provider, else one that all components of the page share.
import { createContext, createElement, type ReactElement, type ReactNode, useContext } from "react";
import { type Client, createClient } from "../client.js";

const ClientContext = createContext<Client | undefined>(undefined);

let pageClient: Client | undefined;

/** The provider's client, if there is one. */
export const useProvidedClient = (): Client | undefined => useContext(ClientContext);

/** The provider's client, else the page's if it was opened. */
export const findClient = (provided: Client | undefined): Client | undefined => provided ?? pageClient;

/** The provider's client, else the page's. Called after a component was mounted, never while it renders: a server has no workers. */
export function openClient(provided: Client | undefined): Client {
  if (provided) return provided;
  pageClient ??= createClient();
  return pageClient;
}

/** Props of {@link InsituProvider}. */
export interface InsituProviderProps {
  /** Create it once, outside of components. The provider does not dispose it. */
  client: Client;
  children?: ReactNode;
}

/**
 * Lets the hooks below it use a client with options of your own. Without a provider they share one client without options.
 * @example
 * ```tsx
 * const client = createClient({ backends: ["wasm", "cpu"] });
 * createRoot(root).render(<InsituProvider client={client}><App /></InsituProvider>);
 * ```
 */
export function InsituProvider({ client, children }: InsituProviderProps): ReactElement {
  return createElement(ClientContext.Provider, { value: client }, children);
}
