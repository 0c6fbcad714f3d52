// What the package `insitu-collector` exports.
export { type Collector, type CollectorOptions, startCollector } from "./collector.js";
