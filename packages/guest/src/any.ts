// Any values as containerd writes them: the bare type name, without "type.googleapis.com/".
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { codecFor } from "@guestwire/rpc/codec";

/** Packs a message. */
export function packBare<D extends DescMessage>(
  schema: D,
  message: MessageInitShape<D>,
): { typeUrl: string; value: Uint8Array } {
  return { typeUrl: schema.typeName, value: codecFor(schema).toBytes(message) };
}

const ociPrefix = "types.containerd.io/opencontainers/runtime-spec/1/";

/** Whether an Any's type URL names a part of the OCI runtime spec, as "Process", whose value is JSON. */
export function isOciType(typeUrl: string, part: string): boolean {
  return typeUrl === ociPrefix + part;
}
