// What grpc-js' statuses mean. It tells its own faults from the server's answers by nothing but their texts, so these
// are looked at; one that is not known counts as the server's.
import { type StatusObject, status as statusCode } from "@grpc/grpc-js";
import { Code, type FailureReason, RpcError } from "@guestwire/rpc";
import { withoutStack } from "@guestwire/rpc/transport";
import { fromGrpcStatus } from "./status.js";
import { deadlineSlackMs } from "./times.js";

interface Known {
  readonly code: number;
  readonly text: RegExp;
  readonly reason: FailureReason;
}

const transportFaults: readonly Known[] = [
  {
    code: statusCode.UNAVAILABLE,
    text: /^(?:\w+: )?(?:No connection established|Name resolution failed|All load balancer|Failed to load)/,
    reason: "connect_failed",
  },
  {
    code: statusCode.UNAVAILABLE,
    text: /^(?:Connection dropped(?:$|: )|Stream refused by server$|Write (?:error|failed)|Channel closed|(?:read|write) E[A-Z]+)/,
    reason: "connection_closed",
  },
  {
    code: statusCode.RESOURCE_EXHAUSTED,
    text: /^(?:Received message (?:larger than max|that decompresses to)|Attempted to send message with a size larger)/,
    reason: "oversize",
  },
  {
    code: statusCode.INTERNAL,
    text: /^(?:Received RST_STREAM with code|Failed to (?:decompress|start HTTP\/2)|Received (?:message compressed|a stream that ends))/,
    reason: "protocol",
  },
];

const undecompressed = { code: statusCode.INTERNAL, details: "Received message compressed in a way not agreed on" };

const httpFault = /^(?:Received HTTP status code \d+|No status information received)$/;

/** What a failed call is told beside the status. */
export interface FailedCall {
  /** As `/package.Service/Method`. */
  readonly path: string;
  readonly target: string;
  /** Until when the call may take, in milliseconds of the wall clock; Infinity where this side set no limit. */
  readonly deadline: number;
}

/** The error of a status that is not OK. */
export function statusError(given: StatusObject, { path: method, target: peer, deadline }: FailedCall): RpcError {
  // What grpc-js cannot decompress, as no compression was agreed on, it reports with neither code nor text.
  const status = given.code === undefined ? { ...given, ...undecompressed } : lost(given);
  // Both ends keep the deadline; whichever notices first, the caller sees the same.
  if (status.code === statusCode.DEADLINE_EXCEEDED && deadline !== Number.POSITIVE_INFINITY) {
    return deadlineError(status, method, peer);
  }
  if (isReset(status) && Date.now() >= deadline - deadlineSlackMs) return deadlinePassed(method, peer);
  const reason = reasonOf(status);
  if (reason === "connect_failed") return connectError(status.details, method, peer);
  return fromGrpcStatus(status, { method, peer, ...(reason !== undefined && { reason }) });
}

/** Where the connection was lost grpc-js may notice the stream first, and calls that a fault of its own. */
function lost(status: StatusObject): StatusObject {
  if (status.code !== statusCode.INTERNAL) return status;
  const cause = /^Received RST_STREAM .* internal client error: (.*\b(?:[Ss]ession|[Ss]ocket|E[A-Z]{4,})\b.*)$/s.exec(
    status.details,
  );
  if (cause === null) return status;
  return { ...status, code: statusCode.UNAVAILABLE, details: `Connection dropped: ${cause[1]}` };
}

/** Whether a status was made on this side, so that it has no trailer. */
export function isTransportFault(status: StatusObject): boolean {
  return reasonOf(status) !== undefined;
}

function deadlineError(status: StatusObject, method: string, peer: string): RpcError {
  if (!/^Deadline exceeded after /.test(status.details)) {
    return fromGrpcStatus(status, { method, peer, reason: "deadline" });
  }
  return deadlinePassed(method, peer);
}

function deadlinePassed(method: string, peer: string): RpcError {
  return withoutStack(
    () => new RpcError(Code.DeadlineExceeded, "the deadline passed", { method, peer, reason: "deadline" }),
  );
}

/** Whether the server ended the call's stream without a word, as grpc-go does when it finds the time to be up. */
function isReset({ code, details }: StatusObject): boolean {
  return code === statusCode.CANCELLED && details === "Call cancelled";
}

function connectError(details: string, method: string, peer: string): RpcError {
  // The last one: round_robin puts the text of each address's own balancer into its own.
  const cause =
    /.*Last error: (?:Error: )?(.*?)(?: \(\d{4}-[^)]*Z\))?\. Resolution note: /s.exec(details)?.[1] ?? details;
  const text = `cannot connect to ${connectText(peer, cause)}`;
  return withoutStack(() => new RpcError(Code.Unavailable, text, { method, peer, reason: "connect_failed" }));
}

/** Where a connection was to lead, and why there is none. */
export function connectText(peer: string, why: string): string {
  // An abstract socket's name begins with a NUL.
  const text = why.replaceAll("\0", "@");
  // Where there is one address it need not be named twice.
  const named = [`connect ${peer}: `, `${peer}: `].find((start) => text.startsWith(start)) ?? "";
  return `${peer}: ${text.slice(named.length)}`;
}

function reasonOf({ code, details }: StatusObject): FailureReason | undefined {
  if (httpFault.test(details)) return "protocol";
  for (const known of transportFaults) if (known.code === code && known.text.test(details)) return known.reason;
  return undefined;
}
