// Where a channel leads: our addresses, one or several, and the names that gRPC's own resolvers know. Opens nothing.
import type { experimental } from "@grpc/grpc-js";
import { Code, RpcError } from "@guestwire/rpc";
import { type Address, addressForms, formatAddress, parseAddress } from "@guestwire/rpc/transport";

/**
 * A place to connect to, as Node's `net.connect` takes it; of addresses that it does not know the path is the address itself.
 */
export type Endpoint = experimental.SubchannelAddress;

/** An address whose connections are opened by rpc: Node knows no way there, or takes a queue that is full for a failure. */
export type DialledAddress = Exclude<Address, { readonly kind: "tcp" }>;

/** A name of gRPC's own, in parts. */
export type GrpcName = experimental.GrpcUri;

/** What `connect()` was given. */
export interface Target {
  /** For logs and errors: the addresses as they are written, with commas between. */
  readonly name: string;
  /** The name that TLS checks and the server sees: `host:port`, `localhost` for all other kinds. */
  readonly authority: string;
  /** What makes it different from all others, without a scheme. */
  readonly path: string;
  /** Where to connect to; `undefined` where gRPC has to find out. */
  readonly endpoints: readonly Endpoint[] | undefined;
  /** The name that gRPC has to resolve; `undefined` where there are endpoints. */
  readonly resolve: GrpcName | undefined;
  /** Has a function called whenever the endpoints are others, until what it gives is called; absent where they stay. */
  readonly changes?: (changed: () => void) => () => void;
}

/** The forms that {@link parseTarget} takes, for messages and help texts. */
export const targetForms: string =
  `${addressForms}, and gRPC's dns:///host:port, ipv4:address:port, ipv6:[address]:port, ` +
  "xds:///name (with @grpc/grpc-js-xds registered)";

const grpcSchemes: ReadonlySet<string> = new Set(["dns", "ipv4", "ipv6", "xds"]);

/**
 * Parses what `connect()` takes: one of {@link targetForms}, or a list of addresses of ours.
 *
 * @throws {RpcError} Code.InvalidArgument naming the part that is wrong.
 */
export function parseTarget(address: string | readonly string[]): Target {
  const texts = typeof address === "string" ? [address] : address;
  if (!Array.isArray(texts) || texts.length === 0 || !texts.every((text) => typeof text === "string")) {
    throw new RpcError(Code.InvalidArgument, "connect() takes an address or a list of at least one");
  }
  const only = texts.length === 1 ? grpcName(texts[0] as string) : undefined;
  if (only !== undefined) return resolved(texts[0] as string, only);
  const { names, endpoints, authority = "localhost" } = parseAddresses(texts);
  const name = names.join(",");
  return { name, authority, path: name, endpoints, resolve: undefined };
}

/** Several addresses of ours. */
export interface Addresses {
  /** The addresses as they are written. */
  readonly names: readonly string[];
  readonly endpoints: readonly Endpoint[];
  /** The name of the first one; `undefined` where there is none. */
  readonly authority: string | undefined;
}

/**
 * Parses addresses of ours.
 *
 * @throws {RpcError} As {@link parseTarget}.
 */
export function parseAddresses(texts: readonly string[]): Addresses {
  const named = texts.find((text) => grpcName(text) !== undefined);
  if (named !== undefined) {
    throw new RpcError(Code.InvalidArgument, `"${named}" must stand alone: gRPC finds its addresses itself`);
  }
  const addresses = texts.map(parseOurs);
  return {
    names: addresses.map(formatAddress),
    endpoints: addresses.map(endpointOf),
    authority: addresses[0] && authorityOf(addresses[0]),
  };
}

/** The parts of a name of gRPC's own; `undefined` for other text. */
function grpcName(text: string): GrpcName | undefined {
  const parts = /^([A-Za-z0-9+.-]+):(?:\/\/([^/]*)\/)?(.+)$/.exec(text);
  const [, scheme, authority, path] = parts ?? [];
  if (scheme === undefined || path === undefined || !grpcSchemes.has(scheme)) return undefined;
  return authority === undefined ? { scheme, path } : { scheme, authority, path };
}

function resolved(name: string, resolve: GrpcName): Target {
  const authority = resolve.path.split(",", 1)[0] as string;
  return { name, authority, path: resolve.path, endpoints: undefined, resolve };
}

function parseOurs(text: string): Address {
  try {
    return parseAddress(text);
  } catch (error) {
    const message = RpcError.from(error).rawMessage.replace(addressForms, targetForms);
    throw new RpcError(Code.InvalidArgument, message);
  }
}

/** The address behind an endpoint that is not for grpc-js to connect to; `undefined` for others. */
export function dialledAddress(endpoint: Endpoint): DialledAddress | undefined {
  if (!("path" in endpoint)) return undefined;
  const { path } = endpoint;
  // A socket's path is absolute, an abstract one's begins with a NUL.
  if (/^(?:vsock|hvsock|fd):/.test(path)) return parseAddress(path) as DialledAddress;
  const abstract = path.startsWith("\0");
  return { kind: "unix", path: abstract ? path.slice(1) : path, abstract };
}

function endpointOf(address: Address): Endpoint {
  if (address.kind === "unix") return { path: address.abstract ? `\0${address.path}` : address.path };
  if (address.kind === "tcp") return { host: address.host, port: address.port };
  const path = formatAddress(address);
  if (address.kind === "vsock" && address.cid === "any") {
    throw new RpcError(Code.InvalidArgument, `${path}: "any" is where to listen; to connect, name a cid`);
  }
  return { path };
}

function authorityOf(address: Address): string {
  return address.kind === "tcp" ? formatAddress(address).slice("tcp://".length) : "localhost";
}
