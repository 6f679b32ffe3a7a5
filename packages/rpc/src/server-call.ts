// What every transport's handler context shares: lazy signal, lazy metadata, lazy values, the deadline. For transports.
// Makes nothing that the handler does not ask for: an AbortController with a listener for each call takes 0.2 µs, a fifth of the call.
import type { DescMethod } from "@bufbuild/protobuf";
import { type ContextValues, createContextValues } from "./context-values.js";
import type { HandlerContext, Peer } from "./handler-context.js";
import { Metadata } from "./metadata.js";
import type { RpcError } from "./rpc-error.js";

/** The base of a transport's handler context. */
export abstract class ServerCall implements HandlerContext {
  readonly method: DescMethod;
  readonly path: string;
  readonly peer: Peer;
  /** When the client's time is up, on the clock of {@link ServerCall.now}; Infinity where it set no limit. */
  readonly deadlineAt: number;
  /** Why the call was given up; `undefined` while somebody waits for it. */
  protected abortReason: RpcError | undefined;
  private controller: AbortController | undefined;
  private ownMetadata: Metadata | undefined;
  private ownValues: ContextValues | undefined;
  /** What the handler wants to send before its first response; `undefined` where it never asked. */
  protected header: Metadata | undefined;
  /** What the handler wants to send with the end; `undefined` where it never asked. */
  protected trailer: Metadata | undefined;

  constructor(method: DescMethod, path: string, peer: Peer, deadlineAt: number) {
    this.method = method;
    this.path = path;
    this.peer = peer;
    this.deadlineAt = deadlineAt;
    this.abortReason = undefined;
    this.controller = undefined;
    this.ownMetadata = undefined;
    this.ownValues = undefined;
    this.header = undefined;
    this.trailer = undefined;
  }

  /** The wire; each transport names its own. */
  get protocol(): string | undefined {
    return undefined;
  }

  /** Milliseconds on a clock that only goes forward. */
  protected abstract now(): number;

  /** Decodes the request's metadata; asked at most once. */
  protected abstract readMetadata(): Metadata;

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.abortReason !== undefined) this.controller.abort(this.abortReason);
    }
    return this.controller.signal;
  }

  get deadline(): Date | undefined {
    if (this.deadlineAt === Number.POSITIVE_INFINITY) return undefined;
    return new Date(Date.now() + this.deadlineAt - this.now());
  }

  timeRemainingMs(): number {
    return Math.max(0, this.deadlineAt - this.now());
  }

  get metadata(): Metadata {
    this.ownMetadata ??= this.readMetadata();
    return this.ownMetadata;
  }

  get values(): ContextValues {
    this.ownValues ??= createContextValues();
    return this.ownValues;
  }

  get responseHeader(): Metadata {
    this.header ??= new Metadata();
    return this.header;
  }

  get responseTrailer(): Metadata {
    this.trailer ??= new Metadata();
    return this.trailer;
  }

  /** Gives the call up: fires the signal, now or when it is first asked for. Only the first reason counts. */
  protected abort(reason: RpcError): void {
    if (this.abortReason !== undefined) return;
    this.abortReason = reason;
    this.controller?.abort(reason);
  }
}
