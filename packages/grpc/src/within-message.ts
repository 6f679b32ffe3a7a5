// Whether a stream has ended inside of a message. grpc-js knows it and tells nobody: it drops what it has of the message.
// This looks into the inside of grpc-js, whose version is pinned for it; where it looks different, the answer is no.

/** A call of grpc-js that cuts a stream's bytes into messages. */
export interface Decoding {
  /** Its state is 0 between two messages. */
  readonly decoder?: { readonly readState?: unknown };
}

/** Whether the bytes that a call has received end within a message. */
export function isWithinMessage({ decoder }: Decoding): boolean {
  return typeof decoder?.readState === "number" && decoder.readState !== 0;
}
