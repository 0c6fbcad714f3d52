// What the build puts into the page beside its modules.
/// <reference types="vite-plugin-pwa/client" />

/** The version in package.json. */
declare const __VERSION__: string;
