// Messages on their way out: the bytes that the codec makes, wherever grpc-js puts them.
import { codecFor } from "@guestwire/rpc/codec";
import { EchoRequestSchema } from "@guestwire/testkit";
import { expect, test } from "vitest";
import { OutgoingMessage } from "./outgoing-message.js";

const codec = codecFor(EchoRequestSchema);

/** What grpc-js does: a frame with five bytes before the message. */
function framed(message: OutgoingMessage): Uint8Array {
  const frame = Buffer.alloc(message.byteLength + 5);
  message.copy(frame, 5);
  return frame.subarray(5);
}

test.each([0, 1, 100, 5000, 100_000, 3 << 20])("a message with %d bytes in it is copied whole", (size) => {
  const init = { text: "before", payload: new Uint8Array(size).fill(7), number: 9n };
  const message = OutgoingMessage.encode(codec, init);
  expect(Buffer.compare(framed(message), codec.toBytes(init))).toBe(0);
  message.release();
  const next = OutgoingMessage.encode(codec, { text: "next" });
  expect(Buffer.compare(framed(next), codec.toBytes({ text: "next" }))).toBe(0);
  next.release();
});

test("messages may be encoded while another waits, and after one that cannot be", () => {
  const first = OutgoingMessage.encode(codec, { text: "first" });
  expect(() => OutgoingMessage.encode(codec, { text: 7 as never })).toThrow(/text/);
  const second = OutgoingMessage.encode(codec, { text: "second" });
  expect(codec.decode(framed(first), 0, first.byteLength).text).toBe("first");
  expect(codec.decode(framed(second), 0, second.byteLength).text).toBe("second");
  first.release();
  second.release();
});
