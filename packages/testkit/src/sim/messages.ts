// The messages of simulated calls: made of the call's number and the message's place, so that each end knows what must
// come, and how long a frame with it is.
import { SimRandom } from "./random.js";

const patternBytes = 1 << 16;
const pattern: Buffer = Buffer.alloc(patternBytes);
const random = new SimRandom(1);
for (let i = 0; i < patternBytes; i++) pattern[i] = random.int(0, 255);

/** Which way a message goes. */
export type Way = "request" | "response";

/** What all messages of the echo service carry. */
export interface SimMessage {
  readonly text: string;
  readonly payload: Uint8Array;
  readonly number: bigint;
}

/** The message at a place of a call. */
export function messageAt(call: number, way: Way, place: number, size: number): SimMessage {
  return { text: String(call), payload: payloadAt(call, way, place, size), number: BigInt(place) };
}

/** The payload of the message at a place of a call. */
export function payloadAt(call: number, way: Way, place: number, size: number): Uint8Array {
  const from = (call * 131 + place * 17 + (way === "request" ? 0 : 7)) % 16_384;
  return pattern.subarray(from, from + size);
}

/** What is wrong with a message that came; `undefined` where it is the one that is due. */
export function wrongMessage(got: SimMessage, call: number, way: Way, place: number, size: number): string | undefined {
  const name = `${way} ${place} of call ${call}`;
  if (got.text !== String(call)) return `${name} is due, and a message of call ${got.text} came`;
  if (got.number !== BigInt(place)) return `${name} is due, and ${way} ${got.number} came`;
  if (got.payload.length !== size) return `${name} has ${got.payload.length} bytes instead of ${size}`;
  return Buffer.from(got.payload.buffer, got.payload.byteOffset, size).equals(payloadAt(call, way, place, size))
    ? undefined
    : `${name} came with other bytes than were sent`;
}

/** The encoded size of a message of the echo service. */
export function encodedBytes(call: number, place: number, size: number): number {
  const payload = size === 0 ? 0 : 1 + varintBytes(size) + size;
  return 2 + String(call).length + payload + (place === 0 ? 0 : 1 + varintBytes(place));
}

/** The size of a frame's data with a response in its envelope. */
export function responseBytes(call: number, size: number): number {
  const message = encodedBytes(call, 0, size);
  return 1 + varintBytes(message) + message;
}

function varintBytes(value: number): number {
  return value < 128 ? 1 : value < 16_384 ? 2 : value < 2_097_152 ? 3 : 4;
}
