// google.rpc.Status, the form in which both wires carry an error: { 1: code, 2: message, 3: repeated Any details }.
// Written by hand, as every ttrpc response may hold one.
import { Code, isCode } from "./code.js";
import { readTag, readVarint32, skipField, utf8Text, WireError } from "./codec/reader.js";
import type { Sink } from "./codec/sink.js";
import type { ErrorDetail, RpcError } from "./rpc-error.js";

/** An error's parts as they travel. */
export interface Status {
  /** 0 for OK. A number that is no code was made `Unknown`. */
  readonly code: number;
  readonly message: string;
  readonly details: readonly ErrorDetail[];
}

/** Appends the fields of a status, without any length in front. */
export function writeStatus(error: RpcError, sink: Sink): void {
  sink.ensure(2);
  sink.buffer[sink.at++] = 0x08;
  sink.buffer[sink.at++] = error.code;
  writeText(sink, 0x12, error.rawMessage);
  writeDetails(error.details, sink);
}

/** Appends a status' details. */
export function writeDetails(details: readonly ErrorDetail[], sink: Sink): void {
  for (const detail of details) {
    sink.uint32(0x1a);
    const before = sink.attached;
    const mark = sink.open();
    writeText(sink, 0x0a, detail.typeUrl);
    if (detail.value.length > 0) {
      sink.uint32(0x12);
      sink.uint32(detail.value.length);
      sink.raw(detail.value);
    }
    sink.close(mark, before);
  }
}

/**
 * Reads a status from `bytes[start..end)`.
 *
 * @throws {WireError} when the bytes are not a status.
 */
export function readStatus(bytes: Buffer, start: number, end: number): Status {
  let code = 0;
  let message = "";
  let details: ErrorDetail[] | undefined;
  const cursor = { at: start };
  while (cursor.at < end) {
    const tag = readTag(bytes, cursor, end);
    if (tag === 0x08) {
      const value = readVarint32(bytes, cursor, end) | 0;
      code = value === 0 || isCode(value) ? value : Code.Unknown;
    } else if (tag === 0x12) message = readText(bytes, cursor, end);
    else if (tag === 0x1a) {
      details ??= [];
      const to = lengthEnd(bytes, cursor, end);
      details.push(readAny(bytes, cursor.at, to));
      cursor.at = to;
    } else skipField(bytes, cursor, end, tag);
  }
  return { code, message, details: details ?? [] };
}

function readAny(bytes: Buffer, start: number, end: number): ErrorDetail {
  let typeUrl = "";
  let value = new Uint8Array(0);
  const cursor = { at: start };
  while (cursor.at < end) {
    const tag = readTag(bytes, cursor, end);
    if (tag === 0x0a) typeUrl = readText(bytes, cursor, end);
    else if (tag === 0x12) {
      const to = lengthEnd(bytes, cursor, end);
      // Copied: an error is kept for long and must not keep a receive buffer alive.
      value = Uint8Array.prototype.slice.call(bytes, cursor.at, to) as Uint8Array<ArrayBuffer>;
      cursor.at = to;
    } else skipField(bytes, cursor, end, tag);
  }
  return { typeUrl, value: new Uint8Array(value.buffer, value.byteOffset, value.byteLength) };
}

function readText(bytes: Buffer, cursor: { at: number }, end: number): string {
  const to = lengthEnd(bytes, cursor, end);
  const text = utf8Text(bytes, cursor.at, to);
  cursor.at = to;
  return text;
}

function lengthEnd(bytes: Buffer, cursor: { at: number }, end: number): number {
  const size = readVarint32(bytes, cursor, end);
  if (size > end - cursor.at) throw new WireError(`a length of ${size} bytes runs over the end`);
  return cursor.at + size;
}

function writeText(sink: Sink, tag: number, text: string): void {
  if (text === "") return;
  sink.uint32(tag);
  const size = Buffer.byteLength(text, "utf8");
  sink.uint32(size);
  sink.ensure(size);
  sink.buffer.write(text, sink.at, "utf8");
  sink.at += size;
}
