// The messages inside of Request and Response frames, written and read by hand: payloads lie between their fields
// without a copy, and protobuf-es for the envelope alone would cost 3.3 µs a call. Equal to the generated codec
// (envelope.test.ts). Fields: Request { 1 service, 2 method, 3 payload, 4 timeout_nano, 5 metadata { 1 key, 2 value } },
// Response { 1 status, 2 payload }.
import { type ErrorDetail, Metadata, type RpcError } from "@guestwire/rpc";
import { Sink } from "@guestwire/rpc/codec";
import {
  readStatus,
  readTag,
  readVarint32,
  readVarint64,
  type Status,
  skipField,
  utf8Text,
  WireError,
  writeDetails,
  writeStatus,
} from "@guestwire/rpc/transport";
import type { Limits } from "./limits.js";

const nanosPerMs = 1e6;
const noDetails: readonly ErrorDetail[] = [];

/** The encoded service and method of a request, which are the same for every call of a method. */
export function requestPrefix(service: string, method: string): Buffer {
  const sink = new Sink(Buffer.allocUnsafeSlow(128));
  writeText(sink, 0x0a, service);
  writeText(sink, 0x12, method);
  return Buffer.from(sink.toBytes());
}

/** Appends what follows a request's payload. @param timeoutMs The time that is left; Infinity for no deadline. */
export function writeRequestEnd(sink: Sink, timeoutMs: number, metadata: Metadata | undefined): void {
  if (timeoutMs !== Number.POSITIVE_INFINITY) {
    sink.uint32(0x20);
    // Never 0, which would mean no deadline; below 2^63, from where on it would be negative.
    writeVarint64(sink, Math.min(Math.max(1, Math.ceil(timeoutMs * nanosPerMs)), 2 ** 62));
  }
  if (metadata === undefined) return;
  const { flat } = metadata;
  for (let i = 0; i < flat.length; i += 2) {
    sink.uint32(0x2a);
    const mark = sink.open();
    writeText(sink, 0x0a, flat[i] as string);
    writeText(sink, 0x12, flat[i + 1] as string);
    sink.close(mark, sink.attached);
  }
}

/** A request's envelope that is too large in one of its parts. */
export class EnvelopeLimitError extends Error {}

/** Where the parts of a request lie. One object is used again and again by a session. */
export class RequestEnvelope {
  service = "";
  method = "";
  payloadStart = 0;
  payloadEnd = 0;
  /** The client's time limit in milliseconds: Infinity for none; 0 or less has passed already. */
  timeoutMs: number = Number.POSITIVE_INFINITY;
  /** How many name fields the last `read` came across. */
  namesRead = 0;
  metadataPairs = 0;
  metadataStart = 0;
  metadataEnd = 0;

  /**
   * Reads `bytes[start..end)`, of which `prefix` bytes (service and method) may be known already.
   *
   * @throws {WireError} when the bytes are not a request.
   * @throws {EnvelopeLimitError} when names or metadata are over their limit.
   */
  read(bytes: Buffer, start: number, end: number, limits: Limits, prefix = 0): void {
    this.payloadStart = start;
    this.payloadEnd = start;
    this.timeoutMs = Number.POSITIVE_INFINITY;
    this.metadataPairs = 0;
    this.namesRead = 0;
    const cursor = { at: start + prefix };
    if (prefix === 0) {
      this.service = "";
      this.method = "";
    }
    let metadataBytes = 0;
    while (cursor.at < end) {
      const fieldAt = cursor.at;
      const tag = readTag(bytes, cursor, end);
      if (tag === 0x1a) {
        this.payloadEnd = partEnd(bytes, cursor, end);
        this.payloadStart = cursor.at;
        cursor.at = this.payloadEnd;
      } else if (tag === 0x20) {
        const nanos = readVarint64(bytes, cursor, end);
        this.timeoutMs = nanos === 0 ? Number.POSITIVE_INFINITY : nanos / nanosPerMs;
      } else if (tag === 0x2a) {
        const to = partEnd(bytes, cursor, end);
        metadataBytes += to - cursor.at;
        if (++this.metadataPairs === 1) this.metadataStart = fieldAt;
        if (this.metadataPairs > limits.metadataPairs) {
          throw new EnvelopeLimitError(`more than ${limits.metadataPairs} metadata pairs`);
        }
        if (metadataBytes > limits.metadataBytes) {
          throw new EnvelopeLimitError(`more than ${limits.metadataBytes} bytes of metadata`);
        }
        checkPair(bytes, cursor.at, to, limits);
        this.metadataEnd = to;
        cursor.at = to;
      } else if (tag === 0x0a) this.service = this.#name(bytes, cursor, end, limits);
      else if (tag === 0x12) this.method = this.#name(bytes, cursor, end, limits);
      else skipField(bytes, cursor, end, tag);
    }
    // In bytes; names that were known already are within the limit.
    if (this.namesRead > 0 && Buffer.byteLength(this.service) + Buffer.byteLength(this.method) > limits.nameBytes) {
      throw tooLong(limits);
    }
  }

  #name(bytes: Buffer, cursor: { at: number }, end: number, limits: Limits): string {
    const to = partEnd(bytes, cursor, end);
    if (to - cursor.at > limits.nameBytes) throw tooLong(limits);
    const name = utf8Text(bytes, cursor.at, to);
    cursor.at = to;
    this.namesRead++;
    return name;
  }
}

/** Reads the metadata out of a request's bytes, of which `[start..end)` hold all pairs and maybe other fields. */
export function readMetadata(bytes: Buffer, start: number, end: number): Metadata {
  const flat: string[] = [];
  const cursor = { at: start };
  while (cursor.at < end) {
    const tag = readTag(bytes, cursor, end);
    if (tag !== 0x2a) {
      skipField(bytes, cursor, end, tag);
      continue;
    }
    const to = partEnd(bytes, cursor, end);
    let key = "";
    let value = "";
    while (cursor.at < to) {
      const inner = readTag(bytes, cursor, to);
      if (inner !== 0x0a && inner !== 0x12) {
        skipField(bytes, cursor, to, inner);
        continue;
      }
      const textEnd = partEnd(bytes, cursor, to);
      const text = utf8Text(bytes, cursor.at, textEnd);
      cursor.at = textEnd;
      if (inner === 0x0a) key = text;
      else value = text;
    }
    flat.push(key, value);
  }
  return Metadata.received(flat);
}

/** Appends an error as a response. */
export function writeErrorResponse(sink: Sink, error: RpcError): void {
  sink.uint32(0x0a);
  const before = sink.attached;
  const mark = sink.open();
  writeStatus(error, sink);
  sink.close(mark, before);
}

/** Appends the status of a success that has something to say beside it. */
export function writeOkDetails(sink: Sink, details: readonly ErrorDetail[]): void {
  sink.uint32(0x0a);
  const before = sink.attached;
  const mark = sink.open();
  writeDetails(details, sink);
  sink.close(mark, before);
}

/** What a response says. One object is used again and again by a session. */
export class ResponseEnvelope {
  /** `undefined` for OK. */
  status: Status | undefined;
  /** What came beside an OK, which plain ttrpc has no use for. */
  details: readonly ErrorDetail[] = [];
  payloadStart = 0;
  payloadEnd = 0;

  /**
   * Reads `bytes[start..end)`. Go leaves the status of a success out, Rust sends an empty one.
   *
   * @throws {WireError} when the bytes are not a response.
   */
  read(bytes: Buffer, start: number, end: number): void {
    this.status = undefined;
    this.details = noDetails;
    this.payloadStart = start;
    this.payloadEnd = start;
    const cursor = { at: start };
    while (cursor.at < end) {
      const tag = readTag(bytes, cursor, end);
      if (tag === 0x12) {
        this.payloadEnd = partEnd(bytes, cursor, end);
        this.payloadStart = cursor.at;
        cursor.at = this.payloadEnd;
      } else if (tag === 0x0a) {
        const to = partEnd(bytes, cursor, end);
        const status = readStatus(bytes, cursor.at, to);
        this.status = status.code === 0 ? undefined : status;
        this.details = status.details;
        cursor.at = to;
      } else skipField(bytes, cursor, end, tag);
    }
  }
}

function partEnd(bytes: Buffer, cursor: { at: number }, end: number): number {
  const size = readVarint32(bytes, cursor, end);
  if (size > end - cursor.at) throw new WireError(`a field of ${size} bytes runs over the end`);
  return cursor.at + size;
}

/** Looks at a pair without making strings of it: sizes, and that its texts are UTF-8, as Go refuses others. */
function checkPair(bytes: Buffer, start: number, end: number, limits: Limits): void {
  const cursor = { at: start };
  while (cursor.at < end) {
    const tag = readTag(bytes, cursor, end);
    if (tag !== 0x0a && tag !== 0x12) {
      skipField(bytes, cursor, end, tag);
      continue;
    }
    const to = partEnd(bytes, cursor, end);
    if (to - cursor.at > limits.metadataValueBytes) throw valueTooLong(limits);
    for (let at = cursor.at; at < to; at++) {
      if ((bytes[at] as number) > 0x7f) {
        utf8Text(bytes, cursor.at, to);
        break;
      }
    }
    cursor.at = to;
  }
}

function valueTooLong(limits: Limits): EnvelopeLimitError {
  return new EnvelopeLimitError(`a metadata value of more than ${limits.metadataValueBytes} bytes`);
}

function tooLong(limits: Limits): EnvelopeLimitError {
  return new EnvelopeLimitError(`service and method names of more than ${limits.nameBytes} bytes`);
}

function writeText(sink: Sink, tag: number, text: string): void {
  const length = text.length;
  // proto3 leaves empty text out.
  if (length === 0) return;
  sink.uint32(tag);
  // Short ASCII is faster by hand than through the native call (60 ns).
  if (length < 24) {
    sink.ensure(length + 1);
    const { buffer, at } = sink;
    let i = 0;
    for (; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) break;
      buffer[at + 1 + i] = unit;
    }
    if (i === length) {
      buffer[at] = length;
      sink.at = at + 1 + length;
      return;
    }
  }
  const size = Buffer.byteLength(text, "utf8");
  sink.uint32(size);
  sink.ensure(size);
  sink.buffer.write(text, sink.at, "utf8");
  sink.at += size;
}

function writeVarint64(sink: Sink, value: number): void {
  sink.ensure(10);
  const { buffer } = sink;
  let { at } = sink;
  let low = value >>> 0;
  let high = Math.floor(value / 0x1_0000_0000) >>> 0;
  while (high > 0 || low > 0x7f) {
    buffer[at++] = (low & 0x7f) | 0x80;
    low = ((low >>> 7) | (high << 25)) >>> 0;
    high >>>= 7;
  }
  buffer[at++] = low;
  sink.at = at;
}
