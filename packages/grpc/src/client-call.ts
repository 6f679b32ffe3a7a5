// One call of a client, from the moment it is made: waiting for a connection, then on it. It settles once and then owns
// nothing. It is itself what grpc-js tells of header, messages and status, so that no closure is made.
import {
  type Channel as GrpcChannel,
  type Metadata as GrpcMetadata,
  type InterceptingListener,
  type StatusObject,
  status as statusCode,
} from "@grpc/grpc-js";
import { type CallOptions, Code, type FailureReason, type Metadata, RpcError, toMetadata } from "@guestwire/rpc";
import {
  checkSignal,
  checkTimeout,
  type SignalHearer,
  unwatchSignal,
  watchSignal,
  withoutStack,
} from "@guestwire/rpc/transport";
import { connectText, isTransportFault, statusError } from "./client-errors.js";
import type { ConnectFailure } from "./connect-failures.js";
import type { Limits } from "./limits.js";
import { fromGrpcMetadata, toGrpcMetadata } from "./metadata.js";
import type { PreparedMethod } from "./prepared-method.js";
import { encodeRequest } from "./serialize.js";
import { longestTimerMs } from "./times.js";

/** A call of grpc-js. */
export type GrpcCall = ReturnType<GrpcChannel["createCall"]>;

/** What a call knows of its channel. */
export interface CallHome {
  /** The channel's address, for errors. */
  readonly target: string;
  readonly limits: Limits;
  /** What is sent with a call without metadata. */
  readonly noMetadata: GrpcMetadata;
  readonly waitForReady: boolean;
  /** How the newest attempt to connect failed; `undefined` where that is not known. */
  readonly connectFailure: ConnectFailure | undefined;
  /** Whether requests are compressed. */
  readonly compresses: boolean;
  /** The call is over: forget it. */
  settled(call: ClientCall): void;
  /** The connection broke under the call. @returns Whether it will be started anew. */
  repeat(call: ClientCall): boolean;
}

/** What all kinds of client calls share. */
export abstract class ClientCall implements InterceptingListener, SignalHearer {
  readonly method: PreparedMethod;
  /** Whether the call has its result, its error, or was given up. */
  settled = false;
  /** How many attempts came to nothing, as far as others may follow. */
  made = 0;
  /** grpc-js' side of it; `undefined` while it waits for a connection. */
  protected call: GrpcCall | undefined;
  protected readonly home: CallHome;
  #metadata: GrpcMetadata;
  // In milliseconds of the wall clock, as grpc-js wants it.
  #deadline: number = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #signal: AbortSignal | undefined;
  #onHeader: ((header: Metadata) => void) | undefined;
  #onTrailer: ((trailer: Metadata) => void) | undefined;

  constructor(method: PreparedMethod, home: CallHome) {
    this.method = method;
    this.home = home;
    this.call = undefined;
    this.#metadata = home.noMetadata;
  }

  /** Takes over the call's options. @throws {RpcError} Code.InvalidArgument naming the one that is wrong. */
  configure({ timeoutMs, metadata, signal, onHeader, onTrailer }: CallOptions): void {
    checkTimeout(timeoutMs);
    checkSignal(signal);
    this.#onHeader = onHeader;
    this.#onTrailer = onTrailer;
    if (metadata !== undefined) this.#setMetadata(toMetadata(metadata));
    if (timeoutMs !== undefined && timeoutMs !== 0) this.#deadline = Date.now() + timeoutMs;
    if (signal === undefined) return;
    if (signal.aborted) return this.signalFired(signal);
    this.#signal = signal;
    watchSignal(signal, this);
  }

  /** Encodes what can be encoded before there is a connection. @throws when it cannot be. */
  abstract prepare(): void;

  /** Begins to wait for a connection. */
  wait(): void {
    if (this.#deadline === Number.POSITIVE_INFINITY) return;
    const left = Math.min(Math.max(0, this.#deadline - Date.now()), longestTimerMs);
    this.#timer = setTimeout(() => {
      if (Date.now() >= this.#deadline - 1) this.#late();
      else this.wait();
    }, left);
  }

  /** Makes the call on a connection. */
  start(channel: GrpcChannel): void {
    clearTimeout(this.#timer);
    const call = channel.createCall(this.method.path, this.#deadline, null, null, null);
    this.call = call;
    call.start(this.#metadata, this);
    this.begin(call);
  }

  /** Sends what there is to send. */
  protected abstract begin(call: GrpcCall): void;

  /** The server ended the call well. */
  protected abstract complete(): void;

  /** Hands the error to who waits. */
  protected abstract reject(error: RpcError): void;

  abstract onReceiveMessage(bytes: Buffer): void;

  onReceiveMetadata(metadata: GrpcMetadata): void {
    if (!this.settled) this.#tell("onHeader", this.#onHeader, metadata);
  }

  onReceiveStatus(status: StatusObject): void {
    if (this.settled) return;
    if (this.#onTrailer !== undefined && !isTransportFault(status)) {
      this.#tell("onTrailer", this.#onTrailer, status.metadata);
      if (this.settled) return;
    }
    if (status.code === statusCode.OK) return this.complete();
    const call = { path: this.method.path, target: this.home.target, deadline: this.#deadline };
    const error = statusError(status, call);
    if (!this.repeats(error, status)) this.failWith(error, false);
  }

  /** Whether the call goes on in spite of an error. */
  protected repeats(_error: RpcError, _status: StatusObject): boolean {
    return false;
  }

  /** @internal The signal's event. */
  signalFired(signal: AbortSignal): void {
    const { reason } = signal;
    const text = reason instanceof Error ? reason.message : typeof reason === "string" ? reason : "";
    this.fail(Code.Canceled, `the call was canceled${text === "" ? "" : `: ${text}`}`, "canceled", reason);
  }

  /** Ends the call with an error of this side. Does nothing once it is settled. */
  fail(code: Code, message: string, reason: FailureReason | undefined, cause?: unknown): void {
    if (this.settled) return;
    this.failWith(this.error(code, message, reason, cause), true);
  }

  /** Ends the call with an error. `abandoned` when the server does not know yet. */
  failWith(error: RpcError, abandoned: boolean): void {
    if (this.settled) return;
    this.release(abandoned);
    this.reject(error);
  }

  /** Makes an error that names this call. */
  error(code: Code, message: string, reason: FailureReason | undefined, cause?: unknown): RpcError {
    return withoutStack(
      () =>
        new RpcError(code, message, {
          method: this.method.path,
          peer: this.home.target,
          ...(reason !== undefined && { reason }),
          ...(cause !== undefined && { cause }),
        }),
    );
  }

  /** Lets go of everything that the call holds. */
  protected release(abandoned: boolean): void {
    this.settled = true;
    clearTimeout(this.#timer);
    if (this.#signal !== undefined) unwatchSignal(this.#signal, this);
    if (abandoned && this.call !== undefined) cancel(this.call);
    this.home.settled(this);
  }

  /** A request as bytes. @throws {RpcError} when it cannot be sent. */
  protected encode(request: object): Buffer {
    let bytes: Buffer;
    try {
      const { input, serialize } = this.method;
      bytes = this.home.compresses ? serialize(request as never) : encodeRequest(input, request as never);
    } catch (error) {
      throw this.error(Code.InvalidArgument, (error as Error).message, undefined, error);
    }
    const limit = this.home.limits.sendMessageBytes;
    if (bytes.length <= limit) return bytes;
    const text = `the request takes ${bytes.length} bytes; the limit is ${limit}`;
    throw this.error(Code.ResourceExhausted, text, "oversize");
  }

  /** A response; `undefined` where it is none, which ends the call. */
  protected decode(bytes: Buffer): object | undefined {
    try {
      return this.method.deserialize(bytes);
    } catch (error) {
      this.fail(Code.Internal, `the response cannot be decoded: ${(error as Error).message}`, "protocol", error);
      return undefined;
    }
  }

  #setMetadata(metadata: Metadata): void {
    const made = toGrpcMetadata(metadata);
    const { metadataBytes } = this.home.limits;
    // As HTTP/2 counts it: 32 bytes for each pair beside its text.
    let size = 0;
    for (const text of metadata.flat) size += text.length + 16;
    if (size > metadataBytes) {
      const text = `the metadata takes ${size} bytes; the limit is ${metadataBytes}`;
      throw this.error(Code.ResourceExhausted, text, "oversize");
    }
    if (this.home.waitForReady) made.setOptions({ waitForReady: true });
    this.#metadata = made;
  }

  #tell(name: string, listener: ((metadata: Metadata) => void) | undefined, metadata: GrpcMetadata): void {
    if (listener === undefined) return;
    try {
      listener(fromGrpcMetadata(metadata));
    } catch (error) {
      const { code, rawMessage } = RpcError.from(error);
      this.fail(code, `${name} failed: ${rawMessage}`, undefined, error);
    }
  }

  /** While there was no connection: on one the deadline is grpc-js'. */
  #late(): void {
    const { target, connectFailure: failure } = this.home;
    const where = failure === undefined ? "" : ` while connecting to ${connectText(target, failure.text)}`;
    this.fail(Code.DeadlineExceeded, `the deadline passed${where}`, "deadline", failure?.cause);
  }
}

/** Twice, as grpc-js goes on with the first steps of a call also when it was canceled meanwhile, and then sends it. */
function cancel(call: GrpcCall): void {
  call.cancelWithStatus(statusCode.CANCELLED, "canceled");
  setImmediate(() => call.cancelWithStatus(statusCode.CANCELLED, "canceled"));
}
