// The reference model: what a call may end with, by its script and by what was done to its channel and its connection.
// Knows nothing of how the product works, only what it promises (invariants I1, I2 and I8).
import { Code, type RpcError } from "@guestwire/rpc";
import type { SimCall } from "./call.js";
import { encodedBytes, responseBytes } from "./messages.js";

/** What the model has to know of the world around a call. */
export interface ModelWorld {
  readonly now: number;
  readonly messageBytes: number;
  /** When the caller closed the channel, and when its grace was over; Infinity for not yet. */
  readonly channelClosedAt: number;
  readonly channelGraceEndsAt: number;
  readonly waitForReady: boolean;
  /** When a connection of the channel ended last, for a reason that the world gave it. */
  readonly connectionEndedAt: number;
  /** Whether a server that was to wait for the call closed its connection. */
  readonly closedTooEarly: boolean;
  /** Whether the response's metadata must reach the caller. */
  readonly metadataDue: boolean;
  /** When an attempt to connect failed last. */
  readonly dialFailedAt: number;
  /** When a server of the channel was told to close, the first one to be. */
  readonly serverClosingAt: number;
  /** The most handlers that ever ran at a time on a server of the channel. */
  readonly mostRunning: number;
  /** How many may run before the server refuses more. */
  readonly mostHandlers: number;
  /** The longest deadline that a server takes. */
  readonly deadlineMs: number;
  readonly waitingCalls: number;
  /** Whether the bounds are so low that a slow connection may be given up. */
  readonly lowSendLimit: boolean;
  /** Whether a frame may take longer than it has. */
  readonly slowFrames: boolean;
  /** The most calls of the channel that were ever under way at a time. */
  readonly mostCalls: number;
}

/** What is wrong with how a call ended; `undefined` where it may end so. */
export function wrongEnd(call: SimCall, world: ModelWorld): string | undefined {
  const { outcome } = call;
  if (outcome === undefined) return "it has not ended";
  if (outcome.is === "left") return undefined;
  if (outcome.is === "ok") return wrongSuccess(call, world);
  return mayFail(call, outcome.error, world) ? undefined : `it may not end with ${describe(outcome.error)}`;
}

/** An error in one line. */
export function describe(error: RpcError): string {
  return `${error.message} (reason ${error.reason ?? "none"})`;
}

function wrongSuccess(call: SimCall, world: ModelWorld): string | undefined {
  const { handler, script } = call;
  if (handler === undefined) return "it succeeded, and no handler ran";
  if (handler.ended !== "ok") return `it succeeded, and its handler ${handler.ended ?? "still runs"}`;
  const due = call.streamsResponses ? script.handler.sizes.length : 1;
  if (call.received !== due) return `it succeeded with ${call.received} responses instead of ${due}`;
  if (call.script.metadata && world.metadataDue && (call.headers !== 1 || call.trailers !== 1)) {
    return `it succeeded and was told of ${call.headers} headers and ${call.trailers} trailers`;
  }
  if (requestTooLarge(call, world.messageBytes) === "yes") return "it succeeded with a request over the limit";
  if (responseTooLarge(call, world.messageBytes)) return "it succeeded with a response over the limit";
  return undefined;
}

function mayFail(call: SimCall, error: RpcError, world: ModelWorld): boolean {
  switch (error.reason) {
    case "deadline":
      return (
        error.code === Code.DeadlineExceeded &&
        world.now >= Math.min(call.deadlineAt, call.startedAt + world.deadlineMs) - 0.001
      );
    case "canceled":
      return error.code === Code.Canceled && mayBeCanceled(call, error, world);
    case "connection_closed":
      if (error.code !== Code.Unavailable) return false;
      if (error.rawMessage === "the channel is closed") return world.channelClosedAt <= call.startedAt;
      return world.connectionEndedAt >= call.startedAt && !world.closedTooEarly;
    case "connect_failed":
      return world.dialFailedAt >= call.startedAt && (!world.waitForReady || error.rawMessage.includes("EACCES"));
    case "oversize":
      return error.code === Code.ResourceExhausted && requestTooLarge(call, world.messageBytes) !== "no";
    case "overflow":
      return mayOverflow(call, error, world);
    case "protocol":
      return world.slowFrames && error.rawMessage.startsWith("a frame did not end");
    default:
      return mayBeAnswered(call, error, world);
  }
}

function mayBeCanceled(call: SimCall, { rawMessage }: RpcError, world: ModelWorld): boolean {
  if (rawMessage === "the call was canceled: planned") return world.now >= call.canceledAt;
  if (rawMessage === "the caller stopped reading") return world.now >= call.leftAt;
  return rawMessage === "the channel was closed" && world.now >= world.channelGraceEndsAt;
}

function mayOverflow(call: SimCall, { code, rawMessage }: RpcError, world: ModelWorld): boolean {
  if (rawMessage.startsWith("the server does not read")) return world.lowSendLimit;
  if (code !== Code.ResourceExhausted) return false;
  if (rawMessage.endsWith("calls are waiting already")) return world.mostCalls > world.waitingCalls;
  const { startMs, pauseMs } = call.script.reader;
  return rawMessage.startsWith("responses came faster") && startMs + pauseMs > 0;
}

function mayBeAnswered(call: SimCall, { code, rawMessage }: RpcError, world: ModelWorld): boolean {
  const { handler, script } = call;
  if (rawMessage === "planned") {
    if (code === Code.DataLoss) return handler?.ended === "error";
    return code === Code.Unknown && handler?.ended === "throws";
  }
  if (rawMessage === "the stream of requests failed: planned") return call.source === "thrown";
  if (rawMessage === "the server is shutting down") return handler === undefined && world.serverClosingAt <= world.now;
  if (code !== Code.ResourceExhausted) return false;
  if (rawMessage === "too many calls are running") {
    return handler === undefined && world.mostRunning >= world.mostHandlers;
  }
  if (rawMessage.startsWith("the response takes")) return responseTooLarge(call, world.messageBytes);
  if (!rawMessage.startsWith("requests came faster")) return false;
  const { readPauseMs, readAtMost, pauseMs, late, end, sizes } = script.handler;
  // Who answers each request before the next one waits for the connection too.
  const answers = script.kind === "chat" && sizes.length > 0;
  return answers || readPauseMs + pauseMs > 0 || late || end === "never" || readAtMost !== Number.POSITIVE_INFINITY;
}

const service = "guestwire.test.v1.EchoService";
// A deadline is a varint of nanoseconds with its key.
const deadlineBytes = 10;

/** Whether one of the requests is over the limit; of the frame's size not all is known beforehand. */
function requestTooLarge(call: SimCall, limit: number): "yes" | "no" | "maybe" {
  const { kind, requests, timeoutMs } = call.script;
  if (call.streamsRequests) {
    const large = requests.sizes.findIndex((size, place) => encodedBytes(call.id, place, size) > limit);
    if (large < 0) return "no";
    // The handler may have answered before it was that request's turn.
    return call.sent > large ? "maybe" : "no";
  }
  const size = requests.sizes[0] ?? 0;
  const method = kind === "echo" ? "Echo" : "Split";
  // A split request has the call's number where an echo request has a text.
  const message =
    kind === "echo" ? encodedBytes(call.id, 0, size) : encodedBytes(call.id, 0, size) - 2 - String(call.id).length + 2;
  const metadata = 2 + 2 + "call".length + 2 + String(call.id).length;
  const least = 2 + service.length + 2 + method.length + message + (message < 128 ? 2 : 3) + metadata;
  if (least > limit) return "yes";
  const most = least + (timeoutMs === undefined ? 0 : deadlineBytes) + 2;
  return most > limit ? "maybe" : "no";
}

function responseTooLarge(call: SimCall, limit: number): boolean {
  const { sizes } = call.script.handler;
  if (!call.streamsResponses) return responseBytes(call.id, sizes[0] ?? 0) > limit;
  return sizes.some((size, place) => encodedBytes(call.id, place, size) > limit);
}
