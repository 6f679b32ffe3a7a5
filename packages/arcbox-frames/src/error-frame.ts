// The payload of an Error frame, and its numbers against our codes. Agents take them from HTTP; one method of theirs uses
// errno values. Reads what is broken as far as it goes.
import { Code, RpcError, type RpcErrorOptions } from "@guestwire/rpc";
import { withoutStack } from "@guestwire/rpc/transport";

// i32be code and u32be length in front of the text.
const headBytes = 8;

/** The longest error text that is sent, in bytes; what is longer is cut. Texts are for people. */
export const errorTextMaxBytes: number = 64 * 1024;

// The first number of a code is the one that is sent. Real agents send 400, 404, 500, 501 and 503; the others are what
// HTTP has for our codes, so that they survive between two ends of ours.
const httpCodes: readonly (readonly [number: number, code: Code])[] = [
  [400, Code.InvalidArgument],
  [401, Code.Unauthenticated],
  [403, Code.PermissionDenied],
  [404, Code.NotFound],
  [409, Code.AlreadyExists],
  [412, Code.FailedPrecondition],
  [416, Code.OutOfRange],
  [429, Code.ResourceExhausted],
  [499, Code.Canceled],
  [500, Code.Internal],
  [501, Code.Unimplemented],
  [503, Code.Unavailable],
  [504, Code.DeadlineExceeded],
];

// Linux, as agents run on nothing else: EPERM, ENOENT, EACCES, EEXIST, ENOTDIR, EISDIR, EINVAL.
const errnoCodes: readonly (readonly [number: number, code: Code])[] = [
  [1, Code.PermissionDenied],
  [2, Code.NotFound],
  [13, Code.PermissionDenied],
  [17, Code.AlreadyExists],
  [20, Code.InvalidArgument],
  [21, Code.InvalidArgument],
  [22, Code.InvalidArgument],
];

const codes: ReadonlyMap<number, Code> = new Map([...httpCodes, ...errnoCodes]);
const numbers: ReadonlyMap<Code, number> = new Map(httpCodes.map(([number, code]) => [code, number]));

/** Our code for the number in an Error frame; `Unknown` where it means nothing to us. */
export function codeFromFrame(number: number): Code {
  return codes.get(number) ?? Code.Unknown;
}

/** The number in an Error frame for our code: 500 for those that HTTP has no status for (Unknown, Aborted, DataLoss). */
export function codeToFrame(code: Code): number {
  return numbers.get(code) ?? 500;
}

/** Encodes the payload of an Error frame. The error's details cannot be carried and are left out. */
export function encodeErrorPayload({ code, rawMessage }: Pick<RpcError, "code" | "rawMessage">): Uint8Array {
  return encodeFrameError(codeToFrame(code), rawMessage);
}

/** Encodes the payload of an Error frame from the frame's own number. */
export function encodeFrameError(number: number, message: string): Uint8Array {
  const text = cutText(message);
  const payload = Buffer.allocUnsafe(headBytes + text.length);
  payload.writeInt32BE(number, 0);
  payload.writeUInt32BE(text.length, 4);
  text.copy(payload, headBytes);
  return payload;
}

/**
 * Reads the payload of an Error frame. Text that is no UTF-8 gets replacement characters, and a length that is beyond the
 * payload counts as its end.
 *
 * @param parts What else the error tells: method and peer.
 */
export function decodeErrorPayload(payload: Uint8Array, parts: RpcErrorOptions = {}): RpcError {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  if (bytes.length < headBytes) {
    const text = `the agent sent an error of ${bytes.length} bytes, which cannot be read`;
    return withoutStack(() => new RpcError(Code.Unknown, text, { ...parts, reason: "protocol" }));
  }
  const number = bytes.readInt32BE(0);
  const text = bytes.toString("utf8", headBytes, Math.min(headBytes + bytes.readUInt32BE(4), bytes.length));
  const code = codes.get(number);
  // A number that we have no code for would be lost otherwise.
  const message = code === undefined ? `${text} (the agent's code ${number})` : text;
  return withoutStack(() => new RpcError(code ?? Code.Unknown, message, parts));
}

/** The text's bytes, cut between two characters where they are too many. */
function cutText(message: string): Buffer {
  const text = Buffer.from(message, "utf8");
  if (text.length <= errorTextMaxBytes) return text;
  let end = errorTextMaxBytes;
  while (((text[end] as number) & 0xc0) === 0x80) end--;
  return text.subarray(0, end);
}
