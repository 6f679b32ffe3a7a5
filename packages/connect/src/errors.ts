// RpcError and ConnectError, each made into the other without a loss. What came from the other side and was not changed
// goes back as the object it was.
import { Code, ConnectError } from "@connectrpc/connect";
import { type ErrorDetail, Metadata, type OutgoingDetail, RpcError } from "@guestwire/rpc";
import { headersOf, metadataOf } from "./headers.js";

type ConnectDetail = ConnectError["details"][number];

/** A ConnectError's beginnings, to see what was changed since. */
interface Made {
  readonly origin: RpcError;
  readonly metadata: string;
  readonly details: readonly ConnectDetail[];
}

const made = new WeakMap<ConnectError, Made>();
const connectOrigins = new WeakMap<RpcError, ConnectError>();
// The type URLs of details, which Connect knows without what stands in front of the type's name.
const detailOrigins = new WeakMap<ConnectDetail, ErrorDetail>();

/**
 * Makes a `ConnectError` of anything that was thrown: of an `RpcError` with code, message, details, metadata and cause; of
 * anything else as `ConnectError.from` does. A `ConnectError`, and an `RpcError` that was made of one, give that one.
 *
 * @param header Metadata that came before the error; Connect has it in the error's `metadata`, too. Default none.
 */
export function toConnectError(error: unknown, header?: Metadata): ConnectError {
  if (!(error instanceof RpcError)) return ConnectError.from(error);
  const origin = connectOrigins.get(error);
  if (origin !== undefined) return origin;
  const { code, rawMessage, details, metadata, cause } = error;
  const both = Metadata.received([...(metadata?.flat ?? []), ...(header?.flat ?? [])]);
  const result = new ConnectError(rawMessage, code as Code, headersOf(both), undefined, cause);
  result.details = details.map((detail) => {
    const incoming = { type: detail.typeUrl.slice(detail.typeUrl.lastIndexOf("/") + 1), value: detail.value };
    detailOrigins.set(incoming, detail);
    return incoming;
  });
  // As Connect's own transports: a server that lets it through sends its details on, and not its metadata.
  result.isWireError = error.method !== undefined && error.reason === undefined;
  made.set(result, { origin: error, metadata: asText(result.metadata), details: [...result.details] });
  return result;
}

/**
 * Makes an `RpcError` of anything that was thrown: of a `ConnectError` with code, message, details, metadata and cause; of
 * anything else as `RpcError.from` does. An `RpcError`, and a `ConnectError` that was made of one and has not been
 * changed since, give that one.
 *
 * @param call Names the call in an error that does not. Default none.
 */
export function toRpcError(error: unknown, call: { readonly method?: string; readonly peer?: string } = {}): RpcError {
  if (!(error instanceof ConnectError)) {
    if (error instanceof RpcError || call.method === undefined) return RpcError.from(error);
    const { code, rawMessage } = RpcError.from(error);
    return new RpcError(code, rawMessage, { ...call, cause: error });
  }
  const known = made.get(error);
  if (known !== undefined && isUnchanged(error, known)) return known.origin;
  const { method = call.method, peer = call.peer, reason } = known?.origin ?? {};
  const metadata = metadataOf(error.metadata);
  const result = new RpcError(error.code, error.rawMessage, {
    details: error.details.map(toDetail),
    ...(metadata.size > 0 && { metadata }),
    ...(error.cause !== undefined && { cause: error.cause }),
    ...(method !== undefined && { method }),
    ...(peer !== undefined && { peer }),
    ...(reason !== undefined && { reason }),
  });
  connectOrigins.set(result, error);
  return result;
}

/** Makes an `RpcError` of a `ConnectError`; leaves everything else as it is. */
export function fromConnect(error: unknown): unknown {
  return error instanceof ConnectError ? toRpcError(error) : error;
}

/** Makes a `ConnectError` of an `RpcError`; leaves everything else as it is. */
export function fromRpc(error: unknown): unknown {
  return error instanceof RpcError ? toConnectError(error) : error;
}

/** Whether an error of either kind says that the time is up. */
export function isDeadline(error: unknown): boolean {
  return (error instanceof ConnectError || error instanceof RpcError) && error.code === Code.DeadlineExceeded;
}

function toDetail(detail: ConnectDetail): ErrorDetail | OutgoingDetail {
  const origin = detailOrigins.get(detail);
  if (origin !== undefined) return origin;
  if ("desc" in detail) return { schema: detail.desc, value: detail.value };
  return { typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value };
}

function isUnchanged({ metadata, details }: ConnectError, known: Made): boolean {
  if (details.length !== known.details.length || details.some((detail, i) => detail !== known.details[i])) return false;
  return asText(metadata) === known.metadata;
}

function asText(headers: Headers): string {
  return JSON.stringify([...headers]);
}
