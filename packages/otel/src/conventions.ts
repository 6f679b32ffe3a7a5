// Names of OpenTelemetry's semantic conventions for RPC: those of release 1.44 and, for who still has dashboards on them,
// those up to 1.37. Only names and which of them to use.

/**
 * Whose names to use: `new` those of release 1.44 (release candidate), `old` those up to 1.37, `both` for a time of
 * transition.
 */
export type Conventions = "new" | "old" | "both";

/** The tracer's and the meter's name. */
export const scopeName = "@guestwire/otel";
/** The tracer's and the meter's version: this package's. */
export const scopeVersion = "0.1.0";
/** Says which release the names are of. */
export const schemaUrl = "https://opentelemetry.io/schemas/1.44.0";

/** Attributes of the new conventions. */
export const attr = {
  system: "rpc.system.name",
  method: "rpc.method",
  // Called `rpc.status_code` by what will follow release 1.44.
  status: "rpc.response.status_code",
  errorType: "error.type",
  serverAddress: "server.address",
  serverPort: "server.port",
  peerAddress: "network.peer.address",
  peerPort: "network.peer.port",
} as const;

/** Attributes of the old conventions that are called otherwise, or hold something else, than the new ones. */
export const oldAttr = {
  system: "rpc.system",
  service: "rpc.service",
  method: "rpc.method",
} as const;

/** The old conventions' attribute for the status: a number, under a name for each wire. */
export function oldStatusAttr(system: string): string {
  // That of ttrpc is otelttrpc's.
  return system === "ttrpc" ? "rpc.ttrpc.status_code" : "rpc.grpc.status_code";
}

/**
 * What `OTEL_SEMCONV_STABILITY_OPT_IN` asks for. This package began with the new names, so only `rpc/dup` changes anything.
 *
 * @param optIn The variable's value: words with commas between.
 */
export function conventionsOf(optIn: string | undefined): Conventions {
  const words = (optIn ?? "").split(",").map((word) => word.trim());
  return words.includes("rpc/dup") ? "both" : "new";
}
