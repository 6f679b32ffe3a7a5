// What the simulator knows of one call: what it was to do, and what both ends have seen of it so far. Only kept, not judged.
import type { RpcError } from "@guestwire/rpc";
import type { CallScript } from "./script.js";

/** How a call came to its end on the caller's side. */
export type CallOutcome =
  | { readonly is: "ok" }
  | { readonly is: "left" }
  | { readonly is: "error"; readonly error: RpcError };

/** What can be seen of a queue of messages. */
export interface VisibleQueue {
  readonly size: number;
  readonly bytes: number;
  readonly ended: boolean;
}

/** What the server's side has seen of a call. */
export interface HandlerRecord {
  /** Which server object runs it. */
  readonly server: number;
  /** Which connection it came by. */
  readonly connection: number;
  readonly startedAt: number;
  /** When the call's time is up as the server sees it; Infinity for never. */
  readonly deadlineAt: number;
  /** Asked for only by handlers that obey it. */
  signal: AbortSignal | undefined;
  queue: VisibleQueue | undefined;
  /** Requests that it has read. */
  got: number;
  /** Whether it saw the regular end of the requests. */
  sawEnd: boolean;
  /** Responses that it has given. */
  given: number;
  /** How it ended; `undefined` while it runs. */
  ended: "ok" | "error" | "throws" | "aborted" | "failed" | "left" | undefined;
}

/** A call of the simulation. */
export class SimCall {
  readonly id: number;
  readonly channel: number;
  readonly script: CallScript;
  readonly startedAt: number;
  readonly deadlineAt: number;
  /** When the caller's own signal fired. */
  canceledAt: number = Number.POSITIVE_INFINITY;
  /** When the caller stopped reading. */
  leftAt: number = Number.POSITIVE_INFINITY;
  /** Requests that the product took. */
  sent = 0;
  /** What became of the stream of requests. */
  source: "untouched" | "taken" | "done" | "thrown" | "left" = "untouched";
  /** Responses that the caller got. */
  received = 0;
  outcome: CallOutcome | undefined;
  queue: VisibleQueue | undefined;
  /** How often the caller was told of the response's metadata. */
  headers = 0;
  trailers = 0;
  handlerStarts = 0;
  handler: HandlerRecord | undefined;

  constructor(id: number, channel: number, script: CallScript, now: number) {
    this.id = id;
    this.channel = channel;
    this.script = script;
    this.startedAt = now;
    this.deadlineAt = now + (script.timeoutMs ?? Number.POSITIVE_INFINITY);
  }

  /** Whether it has streams of requests. */
  get streamsRequests(): boolean {
    return this.script.kind === "join" || this.script.kind === "chat";
  }

  /** Whether it has streams of responses. */
  get streamsResponses(): boolean {
    return this.script.kind === "split" || this.script.kind === "chat";
  }

  /** Whether the product has ended it on the caller's side; the caller may not have looked yet. */
  get settled(): boolean {
    return this.outcome !== undefined || this.queue?.ended === true;
  }

  /** Whether it must come to an end without any help. */
  get ends(): boolean {
    const { handler, requests, timeoutMs, cancelAfterMs } = this.script;
    if (timeoutMs !== undefined || cancelAfterMs !== undefined) return true;
    if (handler.end === "never" && !handler.plain) return false;
    return !(this.streamsRequests && requests.end === "never" && !requests.plain);
  }
}
