// The file that holds personal models. The worker imports it when a page uses one.

export { VERSION } from "./lib/version.js";
export { PersonalRegistry } from "./personal/registry.js";
