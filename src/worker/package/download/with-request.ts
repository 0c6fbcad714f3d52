// Sends the caller's query string, credentials and headers with every request for a package.
import type { PackageRequest } from "../../../shared/types/model.js";
import type { Platform } from "../platform.js";

/**
 * Addresses in messages and in the store are those without the query string, which may hold a token. With headers no redirect is
 * followed: browsers would send them on to the other host (they drop `Authorization` only, and only newer ones do).
 */
export function withRequest(platform: Platform, { query = "", credentials, headers }: PackageRequest): Platform {
  return {
    ...platform,
    fetch(url, init) {
      const own: RequestInit = headers ? { headers: { ...headers, ...init.headers }, redirect: "manual" } : {};
      return platform.fetch(url + query, { ...init, ...own, credentials: credentials ?? init.credentials });
    },
  };
}
