// How the last attempts to connect to a channel's addresses failed, and whether waiting can mend that. Only keeps and
// judges; who waits is the channel's affair.
import { Code, RpcError } from "@guestwire/rpc";
import { isPermanentDialError } from "@guestwire/rpc/transport";
import type { Endpoint } from "./target.js";

/** An attempt that failed. */
export interface ConnectFailure {
  /** What an error of a call says of it; `Unavailable` unless the failure has a code of its own. */
  readonly code: Code;
  readonly text: string;
  readonly cause: unknown;
  /** Whether no waiting mends it. */
  readonly permanent: boolean;
}

/** The newest failure of each address that a channel has, until a connection is made. */
export class ConnectFailures {
  readonly #target: { readonly endpoints: readonly Endpoint[] | undefined };
  readonly #failed: () => void;
  // The newest comes last.
  readonly #byName = new Map<string, ConnectFailure>();

  /** @param failed Called after each attempt that failed. */
  constructor(target: { readonly endpoints: readonly Endpoint[] | undefined }, failed: () => void) {
    this.#target = target;
    this.#failed = failed;
  }

  /** The newest one; `undefined` where none is known. */
  get last(): ConnectFailure | undefined {
    return [...this.#byName.values()].at(-1);
  }

  /** The newest one where no address is left for which waiting helps; otherwise `undefined`. */
  get permanent(): ConnectFailure | undefined {
    const names = (this.#target.endpoints ?? []).map(nameOf);
    const hopeless = names.length > 0 && names.every((name) => this.#byName.get(name)?.permanent);
    return hopeless ? this.last : undefined;
  }

  /** @param dialling Whether there was no connection at all, rather than one without TLS or HTTP/2. */
  add(endpoint: Endpoint, error: unknown, dialling: boolean): void {
    const name = nameOf(endpoint);
    const cause = error instanceof DialError ? error.cause : error;
    this.#byName.delete(name);
    this.#byName.set(name, {
      code: dialling && cause instanceof RpcError ? cause.code : Code.Unavailable,
      text: textOf(error),
      cause,
      permanent: dialling && isPermanentDialError(cause),
    });
    const present = new Set((this.#target.endpoints ?? []).map(nameOf));
    for (const known of this.#byName.keys()) if (!present.has(known)) this.#byName.delete(known);
    this.#failed();
  }

  /** There is a connection. */
  forget(endpoint: Endpoint): void {
    this.#byName.delete(nameOf(endpoint));
  }
}

/** A failure to dial, with the address in its text: grpc-js makes that part of the text of a failed call. */
export class DialError extends Error {
  constructor(address: string, cause: unknown) {
    const text = textOf(cause);
    super(text.includes(address) ? text : `${address}: ${text}`, { cause });
    // Part of what grpc-js makes of it.
    this.name = "Error";
  }
}

function textOf(error: unknown): string {
  if (error instanceof RpcError) return error.rawMessage;
  // Of a host with several addresses, each of which failed.
  if (error instanceof AggregateError && error.message === "") return error.errors.map(textOf).join("; ");
  // Failures of HTTP/2 are texts with the time behind them.
  return error instanceof Error ? error.message : String(error).replace(/ \(\d{4}-[^)]*Z\)$/, "");
}

function nameOf(endpoint: Endpoint): string {
  return "path" in endpoint ? endpoint.path : `${endpoint.host} ${endpoint.port}`;
}
