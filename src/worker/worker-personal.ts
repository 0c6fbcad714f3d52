// The file that holds personal models. The worker imports it when a page uses one.
export { PersonalRegistry } from "./personal/registry.js";
export { VERSION } from "./version.js";
