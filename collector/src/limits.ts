// The limits of what an unknown sender may send, each with its reason.

/** Bytes of a request body, before and after inflating: five full batches of the library (48 KiB each) fit. */
export const MAX_BODY_BYTES = 256 * 1024;

/** Levels of arrays and objects in a body: OTLP needs 14, and three more for each level of a nested attribute. */
export const MAX_DEPTH = 64;

/** Series on `GET /metrics`: the library's metrics need some hundreds; Prometheus becomes slow at 100 times this. */
export const MAX_SERIES = 5_000;

/** Cumulative streams remembered. Each holds its last point, about 1 kB; official SDKs on servers send them, pages do not. */
export const MAX_STREAMS = 10_000;

/** Attributes of one point or event: the library's own have at most 14. */
export const MAX_ATTRIBUTES = 32;

/** Attributes of a resource: the detectors of official SDKs (process, host, container, cloud) write some dozens. */
export const MAX_RESOURCE_ATTRIBUTES = 128;

/** Characters of a metric's attribute: the library sends at most 128, and longer values are not from a closed set. */
export const MAX_LABEL_CHARS = 128;

/** Characters of an event's attribute: room for a scrubbed exception message of 256 bytes. */
export const MAX_EVENT_CHARS = 256;

/** Buckets of a histogram: OpenTelemetry's largest default is 160. */
export const MAX_BUCKETS = 200;

/** Characters of a metric's name, unit or description. */
export const MAX_NAME_CHARS = 128;
export const MAX_UNIT_CHARS = 63;
export const MAX_DESCRIPTION_CHARS = 256;

/** Milliseconds a device's clock may be wrong before its time stamps are moved to the edge of this window. */
export const MAX_CLOCK_SKEW_MS = 24 * 3600 * 1000;

/** Milliseconds until a request must have arrived: a slow sender must not hold a connection for good. */
export const REQUEST_TIMEOUT_MS = 10_000;

/** Milliseconds between two looks at that: Node's 30 s would make it 40. */
export const TIMEOUT_CHECK_MS = 1_000;

/**
 * Bytes of bodies that wait for the database: about a second of what it takes, so that no sender waits much longer. Parsed they
 * need some eight times as much memory.
 */
export const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** Bodies that arrive at the same time: 128 MiB when every one of them stops before its last byte. */
export const MAX_ARRIVING = 512;

/** Bodies that arrive from one sender: a stranger alone must not take all places, and one office's pages need some dozens. */
export const MAX_ARRIVING_OF_SENDER = 64;
