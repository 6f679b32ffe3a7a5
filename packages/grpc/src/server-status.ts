// What a server sends beside messages: headers and the status at the end, within what clients take. Whatever a handler gave,
// the client is told something.
import { Metadata as GrpcMetadata, type StatusObject } from "@grpc/grpc-js";
import { Code, type Metadata, RpcError } from "@guestwire/rpc";
import { toGrpcMetadata } from "./metadata.js";
import { toGrpcStatus } from "./status.js";

// What gRPC itself adds, with room to spare.
const reservedBytes = 1024;
// HTTP/2 counts this for each entry beside its key and value.
const entryBytes = 32;

/** The status of a call that went well. @throws {RpcError} Code.Internal when the trailer cannot be sent. */
export function okStatus(trailer: Metadata, most: number): StatusObject {
  return { code: 0, details: "", metadata: checkedMetadata("trailer", trailer, most) };
}

/** The response header. @throws {RpcError} Code.Internal when it cannot be sent. */
export function responseHeader(header: Metadata, most: number): GrpcMetadata {
  return checkedMetadata("header", header, most);
}

/** The status of a call that failed. A trailer or details that cannot be sent are left out, and the message says so. */
export function errorStatus(error: RpcError, trailer: Metadata | undefined, most: number): StatusObject {
  try {
    const status = toGrpcStatus(error, trailer);
    if (encodeURI(status.details).length + metadataBytes(status.metadata) + reservedBytes <= most) return status;
    return replacement(error.code, "the error's message and details are too large to be sent");
  } catch (fault) {
    const { rawMessage } = RpcError.from(fault);
    return replacement(error.code, `the error's details or trailer cannot be sent: ${rawMessage}`);
  }
}

function replacement(code: Code, details: string): StatusObject {
  return { code: code as number, details: details.toWellFormed(), metadata: new GrpcMetadata() };
}

function checkedMetadata(which: "header" | "trailer", metadata: Metadata, most: number): GrpcMetadata {
  let made: GrpcMetadata;
  try {
    made = toGrpcMetadata(metadata);
  } catch (error) {
    throw new RpcError(Code.Internal, `the response ${which} cannot be sent: ${RpcError.from(error).rawMessage}`);
  }
  const bytes = metadataBytes(made) + reservedBytes;
  if (bytes <= most) return made;
  throw new RpcError(Code.Internal, `the response ${which} cannot be sent: it has ${bytes} bytes of ${most}`);
}

function metadataBytes(metadata: GrpcMetadata): number {
  let bytes = 0;
  const values = metadata.toJSON();
  for (const key in values) {
    for (const value of values[key] as (string | Buffer)[]) {
      bytes += key.length + entryBytes;
      bytes += typeof value === "string" ? value.length : Math.ceil(value.length / 3) * 4;
    }
  }
  return bytes;
}
