// Messages on a pipe: four bytes of length in network order, then the message. For programs that another one drives.
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";

/** Reads messages until the end of the input. */
export async function* readDelimited<S extends DescMessage>(
  schema: S,
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<MessageShape<S>> {
  let held = Buffer.alloc(0);
  for await (const chunk of input) {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 4) {
      const end = 4 + held.readUInt32BE(0);
      if (held.length < end) break;
      yield fromBinary(schema, held.subarray(4, end));
      held = held.subarray(end);
    }
  }
  if (held.length > 0) throw new Error(`the input ended within a message: ${held.length} bytes are left`);
}

/** A message with its length in front. */
export function delimited<S extends DescMessage>(schema: S, message: MessageInitShape<S>): Buffer {
  const body = toBinary(schema, create(schema, message));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}
