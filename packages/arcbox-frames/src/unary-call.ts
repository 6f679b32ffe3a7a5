// A call with one answer, on a connection that it has for itself until then. Nothing of streams.
import type { Message } from "@bufbuild/protobuf";
import { Code, RpcError } from "@guestwire/rpc";
import type { CallEnd, UnaryMethod } from "@guestwire/rpc/transport";
import { callError, type ErrorParts, encodePayload, readAnswer } from "./answer.js";
import type { Limits } from "./limits.js";
import type { FrameMethod } from "./numbers.js";
import type { ConnectionPool } from "./pool.js";

/** What a call needs of its channel. */
export interface CallHome {
  readonly target: string;
  readonly limits: Limits;
  /** The connections of calls with one answer. */
  readonly calls: ConnectionPool;
  /** The connections of streams. */
  readonly streams: ConnectionPool;
  /** The version of the agent, by a ping on a connection of its own; `undefined` where it does not answer soon. */
  agentVersion(end: CallEnd): Promise<string | undefined>;
}

/** A call of a method that has numbers. */
export interface WireCall {
  readonly wire: FrameMethod;
  readonly end: CallEnd;
  readonly trace: Uint8Array;
}

/** Makes a call. Whoever waits for it does so within `call.end`, whose error closes the connection. */
export async function callOnce(home: CallHome, method: UnaryMethod, request: object, call: WireCall): Promise<Message> {
  const { wire, end, trace } = call;
  const parts: ErrorParts = { method: wire.path, peer: home.target };
  const payload = encodePayload(method.input, request, home.limits.frameBytes, trace, parts);
  try {
    const message = await exchange(home, method, payload, call, parts);
    if (message !== undefined) return message;
  } catch (error) {
    throw callError(error, parts);
  }
  throw end.error ?? (await closedWithoutAnswer(home, call, parts));
}

/** One request and its answer; `undefined` where the connection was closed instead. */
async function exchange(
  home: CallHome,
  method: UnaryMethod,
  payload: Uint8Array,
  { wire, end, trace }: WireCall,
  parts: ErrorParts,
): Promise<Message | undefined> {
  const connection = await home.calls.acquire(end);
  let mine = true;
  let reusable = false;
  // There is no frame that cancels: closing is what tells the agent, and the answer must not reach the next call.
  end.whenOver((error) => {
    if (mine && error !== undefined) connection.destroy();
  });
  try {
    connection.write(wire.request, trace, payload);
    const frame = await connection.read();
    if (frame === undefined) return undefined;
    const answer = readAnswer(frame, wire, method, trace, parts);
    reusable = true;
    if (answer.kind === "error") throw answer.error;
    return answer.message;
  } catch (error) {
    // An agent that closes before it has read all of the request breaks the connection by it.
    if (error instanceof RpcError && error.reason === "connection_closed" && !connection.unread) return undefined;
    throw error;
  } finally {
    mine = false;
    home.calls.release(connection, reusable);
  }
}

/**
 * Why an agent may close a connection instead of answering: it does not know the number, or it is going away. For numbers
 * that came after 0.1.4 a ping tells which.
 */
async function closedWithoutAnswer(home: CallHome, { wire, end }: WireCall, parts: ErrorParts): Promise<RpcError> {
  const options = { ...parts, reason: "connection_closed" } as const;
  const text = "the agent closed the connection without an answer";
  if (wire.since014) return new RpcError(Code.Unavailable, text, options);
  const version = await home.agentVersion(end);
  if (version === undefined) {
    const both = `${text}: it is gone, or it is an agent of 0.1.4 or older, which does not know this request`;
    return new RpcError(Code.Unavailable, both, options);
  }
  if (knowsAll(version)) return new RpcError(Code.Unavailable, `${text}, and works again by now`, options);
  const why = `${text} and is alive: agent ${version} does not know this request, which came after 0.1.4`;
  return new RpcError(Code.Unimplemented, why, parts);
}

/** Whether agents of this version are known to have all numbers: 0.4.1 has. */
function knowsAll(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map((part) => Number.parseInt(part, 10) || 0);
  return major > 0 || minor > 4 || (minor === 4 && patch >= 1);
}
