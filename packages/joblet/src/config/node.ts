// jobletNode(): which node of a configuration, and what connect() needs for it. Knows no transport but its options' names.
import { Code, RpcError } from "@guestwire/rpc";
import { configError } from "./config-error.js";
import type { JobletConfig, JobletNodeConfig } from "./load-config.js";

/** The options of `connect()` of `@guestwire/grpc` that Joblet's servers ask for. */
export interface JobletConnectOptions {
  readonly tls: {
    readonly ca: string;
    readonly cert: string;
    readonly key: string;
    /** The name that the server's certificate is checked for, whatever its address: `joblet`. */
    readonly serverName: string;
    readonly minVersion: "TLSv1.3";
  };
  /** Messages of up to 128 MiB each way, as the servers take and send them. */
  readonly limits: { readonly receiveMessageBytes: number; readonly sendMessageBytes: number };
  /** A ping when nothing was heard for 30 s, also without calls; lost after 10 s. Joblet's servers allow one every 5 s. */
  readonly keepalive: { readonly timeMs: number; readonly timeoutMs: number; readonly withoutCalls: boolean };
  /** True: calls wait for the connection until their deadline. */
  readonly waitForReady: boolean;
}

/** A node to connect to. */
export interface JobletNode {
  readonly name: string;
  /** For `connect()`: `tcp://host:port`. */
  readonly address: string;
  /** For `connect()`. Not shown when the node is printed, as the private key is in it. */
  readonly connectOptions: JobletConnectOptions;
  /** Where it stands in the configuration. */
  readonly config: JobletNodeConfig;
}

/** The largest message that Joblet takes and sends: 128 MiB, in bytes. */
export const jobletMessageBytes: number = 128 * 1024 * 1024;

/** The name in the certificates of Joblet's servers. */
export const jobletServerName = "joblet" as const;

const defaultPort = 50_051;

/**
 * Chooses a node: the named one; else the one that is the default; else the one called `default`; else the only one.
 *
 * @param name Which one.
 * @throws {RpcError} Code.NotFound when there is no such node; Code.InvalidArgument when it must be named, or its address
 * cannot be read.
 *
 * @example
 * const node = jobletNode(await loadJobletConfig());
 * await using channel = connect(node.address, node.connectOptions);
 */
export function jobletNode(config: JobletConfig, name?: string): JobletNode {
  const node = choose(config, name);
  const { cert, key, ca } = node;
  const connectOptions: JobletConnectOptions = {
    tls: { ca, cert, key, serverName: jobletServerName, minVersion: "TLSv1.3" },
    limits: { receiveMessageBytes: jobletMessageBytes, sendMessageBytes: jobletMessageBytes },
    keepalive: { timeMs: 30_000, timeoutMs: 10_000, withoutCalls: true },
    waitForReady: true,
  };
  const address = readAddress(`${config.path}: nodes.${node.name}.address`, node.address);
  const chosen = { name: node.name, address, config: node };
  // The options hold the key: a node can be logged all the same.
  Object.defineProperty(chosen, "connectOptions", { value: connectOptions, enumerable: false });
  return chosen as typeof chosen & { readonly connectOptions: JobletConnectOptions };
}

function choose({ nodes, path }: JobletConfig, name: string | undefined): JobletNodeConfig {
  const names = [...nodes.keys()].join(", ");
  if (name !== undefined) {
    const named = nodes.get(name);
    if (named !== undefined) return named;
    throw new RpcError(Code.NotFound, `${path} has no node ${JSON.stringify(name)}; it has ${names}`);
  }
  const defaults = [...nodes.values()].filter(({ isDefault }) => isDefault);
  if (defaults.length > 1) {
    const several = defaults.map((node) => node.name).join(", ");
    throw configError(`${path}: nodes`, `has more than one default: ${several}`);
  }
  const only = nodes.size === 1 ? [...nodes.values()][0] : undefined;
  const chosen = defaults[0] ?? nodes.get("default") ?? only;
  if (chosen !== undefined) return chosen;
  throw configError(`${path}: nodes`, `has no default; name one of ${names}`);
}

function readAddress(where: string, text: string): string {
  const match = /^(?:tcp:\/\/)?(\[[0-9a-fA-F:.]+\]|[^\s:/?#@[\]]+)(?::(\d{1,5}))?$/.exec(text.trim());
  const port = Number(match?.[2] ?? defaultPort);
  if (match === null || port < 1 || port > 65_535) {
    throw configError(where, `${JSON.stringify(text)} is no host and port, as joblet.example.org:50051`);
  }
  return `tcp://${match[1]}:${port}`;
}
