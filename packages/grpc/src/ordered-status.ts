// An error must not overtake the messages that the server sent before it. grpc-js drops what it has not yet handed out as
// soon as it sees a status that is not OK; with OK it waits. So a stream's error is held back here and handed out where
// OK would be. This looks into the inside of grpc-js, whose version is pinned for it; where it looks different, nothing
// is done. The same way leads to what grpc-js does not look at: a stream that ends well, but within a message.
import { type StatusObject, status as statusCode } from "@grpc/grpc-js";
import { type Decoding, isWithinMessage } from "./within-message.js";

/** grpc-js' call on one HTTP/2 stream, as far as it matters here. */
interface StreamCall extends Decoding {
  finalStatus: StatusObject | null;
  handleTrailers(headers: unknown): void;
  endCall(status: StatusObject): void;
  outputStatus(): void;
  cancelWithStatus(status: number, details: string): void;
  [heldKey]?: StatusObject | undefined;
  [inTrailersKey]?: boolean;
}

/** The layers of grpc-js above it. */
interface CallLayers {
  readonly child?: {
    readonly committedCallIndex?: number | null;
    readonly underlyingCalls?: readonly { readonly call?: { readonly child?: StreamCall | null } }[];
  } | null;
}

const cutOff = "Received a stream that ends within a message";
const heldKey = Symbol("guestwire.held");
const inTrailersKey = Symbol("guestwire.inTrailers");

/** Makes the status of a call wait for the messages before it. To be called once, when its header came. */
export function keepOrder(call: object): void {
  const { child } = call as CallLayers;
  const index = child?.committedCallIndex;
  const stream = typeof index === "number" ? child?.underlyingCalls?.[index]?.call?.child : undefined;
  if (stream === undefined || stream === null || !fits(stream)) return;
  const proto = Object.getPrototypeOf(stream) as StreamCall;
  let patch = patches.get(proto);
  if (patch === undefined) {
    patch = patchOf(proto);
    patches.set(proto, patch);
  }
  Object.assign(stream, patch);
}

const patches = new WeakMap<StreamCall, object>();

function fits(stream: StreamCall): boolean {
  return (
    typeof stream.handleTrailers === "function" &&
    typeof stream.endCall === "function" &&
    typeof stream.outputStatus === "function" &&
    typeof stream.cancelWithStatus === "function" &&
    stream.finalStatus === null
  );
}

function patchOf(proto: StreamCall): object {
  return {
    handleTrailers(this: StreamCall, headers: unknown): void {
      this[inTrailersKey] = true;
      proto.handleTrailers.call(this, headers);
      this[inTrailersKey] = false;
    },
    endCall(this: StreamCall, status: StatusObject): void {
      if (this[inTrailersKey] === true && this.finalStatus === null && status.code !== statusCode.OK) {
        this[heldKey] = status;
        return proto.endCall.call(this, { ...status, code: statusCode.OK });
      }
      // The connection is gone: what was read of it is lost, what the server said is not.
      proto.endCall.call(this, this[heldKey] ?? status);
    },
    outputStatus(this: StreamCall): void {
      if (this[heldKey] !== undefined) this.finalStatus = this[heldKey];
      else if (this.finalStatus?.code === statusCode.OK && isWithinMessage(this)) {
        this.finalStatus = { ...this.finalStatus, code: statusCode.INTERNAL, details: cutOff };
      }
      proto.outputStatus.call(this);
    },
    cancelWithStatus(this: StreamCall, code: number, details: string): void {
      this[heldKey] = undefined;
      proto.cancelWithStatus.call(this, code, details);
    },
  };
}
