// A failed call on gRPC's wire: an RpcError to grpc-js' status and back, with the details of google.rpc.Status in the
// trailer that all gRPC libraries use for them. Knows nothing of who failed.
import type { Metadata as GrpcMetadata, StatusObject } from "@grpc/grpc-js";
import { type FailureReason, type Metadata, RpcError } from "@guestwire/rpc";
import { Sink } from "@guestwire/rpc/codec";
import { readStatus, type Status, withoutStack, writeStatus } from "@guestwire/rpc/transport";
import { fromGrpcMetadata, toGrpcMetadata } from "./metadata.js";
import { WireMetadata } from "./wire-metadata.js";

const detailsKey = "grpc-status-details-bin";

/** What an error is told beside its status. */
export interface StatusParts {
  /** As `/package.Service/Method`. */
  readonly method?: string;
  /** The address of the other end. */
  readonly peer?: string;
  /** Set where the transport failed, not the handler. */
  readonly reason?: FailureReason;
  /** What led to it. */
  readonly cause?: unknown;
}

/**
 * The status of an error as grpc-js sends it.
 *
 * @param trailer Metadata to send with the end; the error's own metadata is not sent.
 * @throws {RpcError} Code.InvalidArgument when the trailer holds what gRPC cannot carry.
 */
export function toGrpcStatus(error: RpcError, trailer?: Metadata): StatusObject {
  const metadata = trailer === undefined ? new WireMetadata() : toGrpcMetadata(trailer);
  if (error.details.length > 0) {
    const sink = new Sink();
    writeStatus(error, sink);
    metadata.set(detailsKey, Buffer.from(sink.toBytes()));
  }
  // Half a surrogate pair has no form in UTF-8: grpc-js would throw instead of sending.
  return { code: error.code as number, details: error.rawMessage.toWellFormed(), metadata };
}

/**
 * The error of a status that is not OK. The code is that of `grpc-status`; where the details agree with it, their message
 * is taken, as it went through no percent-encoding.
 */
export function fromGrpcStatus(status: StatusObject, parts: StatusParts): RpcError {
  const details = statusDetails(status.metadata);
  const message = details !== undefined && details.code === status.code ? details.message : status.details;
  return withoutStack(
    () =>
      new RpcError(status.code as never, message, {
        ...parts,
        metadata: fromGrpcMetadata(status.metadata),
        ...(details !== undefined && { details: details.details }),
      }),
  );
}

function statusDetails(metadata: GrpcMetadata): Status | undefined {
  const [bytes] = metadata.get(detailsKey);
  if (!Buffer.isBuffer(bytes)) return undefined;
  try {
    return readStatus(bytes, 0, bytes.length);
  } catch {
    // Broken details must not hide the error that carries them.
    return undefined;
  }
}
