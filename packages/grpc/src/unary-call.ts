// A client's call with one request and one response.
import type { Metadata, StatusObject } from "@grpc/grpc-js";
import { Code, type RpcError } from "@guestwire/rpc";
import { type CallHome, ClientCall, type GrpcCall } from "./client-call.js";
import type { PreparedMethod } from "./prepared-method.js";

const noContext = Object.freeze({});

/** A call with one request and one response. */
export class UnaryCall extends ClientCall {
  #request: object;
  #response: object | undefined;
  #header: Metadata | undefined;
  readonly #resolve: (message: object) => void;
  readonly #reject: (error: RpcError) => void;

  constructor(
    method: PreparedMethod,
    home: CallHome,
    request: object,
    resolve: (message: object) => void,
    reject: (error: RpcError) => void,
  ) {
    super(method, home);
    this.#request = request;
    this.#response = undefined;
    this.#header = undefined;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  prepare(): void {
    this.#request = this.encode(this.#request);
  }

  override onReceiveMetadata(metadata: Metadata): void {
    this.#header = metadata;
    super.onReceiveMetadata(metadata);
  }

  onReceiveMessage(bytes: Buffer): void {
    if (this.settled) return;
    // gRPC gives cardinality faults this code.
    if (this.#response !== undefined) {
      return this.fail(Code.Unimplemented, "the server sent more than one response", "protocol");
    }
    this.#response = this.decode(bytes);
    // Also where nothing more is expected: the status comes behind whatever the server still sends.
    if (this.#response !== undefined) this.call?.startRead();
  }

  protected begin(call: GrpcCall): void {
    call.startRead();
    call.sendMessageWithContext(noContext, this.#request as Buffer);
    call.halfClose();
  }

  protected complete(): void {
    const response = this.#response;
    if (response === undefined) {
      return this.failWith(
        this.error(Code.Unimplemented, "the server ended the call without a response", "protocol"),
        false,
      );
    }
    this.release(false);
    this.#resolve(response);
  }

  /** grpc-js repeats no call whose header has come; but nobody has seen anything of this one yet. */
  protected override repeats(error: RpcError, status: StatusObject): boolean {
    if (error.reason !== "connection_closed") return false;
    const [before = 0] = (this.#header ?? status.metadata).get("grpc-previous-rpc-attempts");
    this.made += 1 + Number(before);
    this.#header = undefined;
    this.#response = undefined;
    return this.home.repeat(this);
  }

  protected reject(error: RpcError): void {
    this.#reject(error);
  }
}
