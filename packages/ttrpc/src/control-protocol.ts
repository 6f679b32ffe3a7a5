// guestwire.control.v1 on the wire: its names, and its few messages by hand, as this package loads no descriptors. Equal to
// the generated code (control-protocol.test.ts). When each is sent is the sessions' affair.
import { Metadata } from "@guestwire/rpc";
import { Sink } from "@guestwire/rpc/codec";
import { readTag, readVarint32, skipField, utf8Text, WireError } from "@guestwire/rpc/transport";
import { requestPrefix } from "./envelope.js";
import type { MessageCodec, PreparedMethod } from "./prepared-method.js";

/** The service that the other side answers by itself. */
export const controlService = "guestwire.control.v1.ControlService";

/** What one side may do only when the other can take it. */
export const Feature = { ResponseMetadata: 1 } as const;

/** The type of the detail in which a response's metadata travel. */
export const responseMetadataType = "guestwire.control.v1.ResponseMetadata";

/** A hello, or its answer. */
export interface Features {
  readonly features: readonly number[];
}

/** The bounds of received metadata. */
export interface MetadataLimits {
  readonly metadataPairs: number;
  readonly metadataBytes: number;
}

/** A response's metadata. */
export interface ResponseMetadata {
  readonly header: Metadata;
  readonly trailer: Metadata;
}

// Many more than there will ever be; a peer may send millions in one frame.
const mostFeatures = 64;

const nothing: MessageCodec = {
  encode() {},
  decode: () => ({}),
};

/** `HelloRequest` and `HelloResponse`, which have the same fields. */
export const featuresCodec: MessageCodec = {
  encode({ features }: Features, sink) {
    if (features.length === 0) return;
    sink.uint32(0x0a);
    const mark = sink.open();
    for (const feature of features) sink.uint32(feature);
    sink.close(mark, sink.attached);
  },
  decode(bytes, start, end): Features {
    const features: number[] = [];
    const add = (feature: number): void => {
      if (features.push(feature) > mostFeatures) throw new WireError(`more than ${mostFeatures} features`);
    };
    const cursor = { at: start };
    while (cursor.at < end) {
      const tag = readTag(bytes, cursor, end);
      if (tag === 0x08) add(readVarint32(bytes, cursor, end));
      else if (tag === 0x0a) {
        const to = partEnd(bytes, cursor, end);
        while (cursor.at < to) add(readVarint32(bytes, cursor, to));
      } else skipField(bytes, cursor, end, tag);
    }
    return { features };
  },
};

/** `CancelRequest`. */
export const cancelCodec: MessageCodec = {
  encode({ streamId }: { readonly streamId: number }, sink) {
    if (streamId === 0) return;
    sink.uint32(0x08);
    sink.uint32(streamId);
  },
  decode(bytes, start, end) {
    let streamId = 0;
    const cursor = { at: start };
    while (cursor.at < end) {
      const tag = readTag(bytes, cursor, end);
      if (tag === 0x08) streamId = readVarint32(bytes, cursor, end);
      else skipField(bytes, cursor, end, tag);
    }
    return { streamId };
  },
};

/** The methods, ready to be called. */
export const controlMethods: Readonly<Record<"hello" | "cancel" | "ping", PreparedMethod>> = {
  hello: prepared("Hello", featuresCodec, featuresCodec),
  cancel: prepared("Cancel", cancelCodec, nothing),
  ping: prepared("Ping", nothing, nothing),
};

/** Encodes a response's metadata. */
export function encodeResponseMetadata({ header, trailer }: ResponseMetadata): Uint8Array {
  const sink = new Sink();
  writeEntries(sink, 0x0a, header);
  writeEntries(sink, 0x12, trailer);
  return Uint8Array.from(sink.toBytes());
}

/**
 * Reads a response's metadata.
 *
 * @throws {WireError} when the bytes are no such message, or hold more than the limits allow.
 */
export function decodeResponseMetadata(bytes: Uint8Array, limits: MetadataLimits): ResponseMetadata {
  if (bytes.length > limits.metadataBytes) throw new WireError(`more than ${limits.metadataBytes} bytes of metadata`);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const header: string[] = [];
  const trailer: string[] = [];
  const cursor = { at: 0 };
  while (cursor.at < buffer.length) {
    const tag = readTag(buffer, cursor, buffer.length);
    if (tag !== 0x0a && tag !== 0x12) {
      skipField(buffer, cursor, buffer.length, tag);
      continue;
    }
    const to = partEnd(buffer, cursor, buffer.length);
    (tag === 0x0a ? header : trailer).push(...readEntry(buffer, cursor, to));
    if (header.length + trailer.length > 2 * limits.metadataPairs) {
      throw new WireError(`more than ${limits.metadataPairs} metadata pairs`);
    }
  }
  return { header: Metadata.received(header), trailer: Metadata.received(trailer) };
}

function prepared(name: string, input: MessageCodec, output: MessageCodec): PreparedMethod {
  const kind = { clientStreams: false, serverStreams: false };
  return { path: `/${controlService}/${name}`, prefix: requestPrefix(controlService, name), input, output, ...kind };
}

function writeEntries(sink: Sink, tag: number, { flat }: Metadata): void {
  for (let i = 0; i < flat.length; i += 2) {
    sink.uint32(tag);
    const mark = sink.open();
    writeText(sink, 0x0a, flat[i] as string);
    writeText(sink, 0x12, flat[i + 1] as string);
    sink.close(mark, sink.attached);
  }
}

function writeText(sink: Sink, tag: number, text: string): void {
  if (text === "") return;
  const size = Buffer.byteLength(text);
  sink.uint32(tag);
  sink.uint32(size);
  sink.ensure(size);
  sink.buffer.write(text, sink.at, "utf8");
  sink.at += size;
}

function readEntry(bytes: Buffer, cursor: { at: number }, end: number): [key: string, value: string] {
  let key = "";
  let value = "";
  while (cursor.at < end) {
    const tag = readTag(bytes, cursor, end);
    if (tag !== 0x0a && tag !== 0x12) {
      skipField(bytes, cursor, end, tag);
      continue;
    }
    const to = partEnd(bytes, cursor, end);
    const text = utf8Text(bytes, cursor.at, to);
    cursor.at = to;
    if (tag === 0x0a) key = text;
    else value = text;
  }
  return [key, value];
}

function partEnd(bytes: Uint8Array, cursor: { at: number }, end: number): number {
  const size = readVarint32(bytes, cursor, end);
  if (size > end - cursor.at) throw new WireError(`a field of ${size} bytes runs over the end`);
  return cursor.at + size;
}
