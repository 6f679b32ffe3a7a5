// The output buffer: growing, back-patched lengths, attachments.
import { expect, test } from "vitest";
import { attachBytes, Sink } from "./sink.js";

/** Writes a part of some size within another, and gives all bytes. */
function nested(size: number, attach: number): Uint8Array {
  const sink = new Sink(Buffer.alloc(1));
  const outer = sink.open();
  const inner = sink.open();
  sink.raw(new Uint8Array(size).fill(1));
  if (attach > 0) sink.raw(new Uint8Array(attach).fill(2));
  sink.close(inner, 0);
  sink.close(outer, 0);
  expect(sink.length).toBe(sink.toBytes().length);
  return sink.toBytes();
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 0x7f; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}

test.each([0, 1, 126, 127, 128, 16383, 16384, 2097151, 2097152])("lengths of %i bytes are written in front", (size) => {
  for (const attach of [0, attachBytes]) {
    // Below the limit all is copied, so that both ways through the sink are taken.
    const content = [...varint(size + attach)];
    const head = Buffer.from([...varint(content.length + size + attach), ...content]);
    const body = Buffer.concat([Buffer.alloc(size, 1), Buffer.alloc(attach, 2)]);
    expect(Buffer.compare(nested(size, attach), Buffer.concat([head, body]))).toBe(0);
  }
});

test("bytes are attached from the limit on", () => {
  const sink = new Sink();
  sink.raw(new Uint8Array(attachBytes - 1));
  expect(sink.attachments).toHaveLength(0);
  const data = new Uint8Array(attachBytes);
  sink.raw(data);
  expect(sink.attachments[0]?.data).toBe(data);
  expect(sink.length).toBe(2 * attachBytes - 1);
});

test("rolling back takes attachments away", () => {
  const sink = new Sink();
  sink.uint32(300);
  sink.raw(new Uint8Array(attachBytes));
  sink.uint32(1);
  sink.rollback(2, 0, 0);
  expect(sink.toBytes()).toEqual(Uint8Array.of(0xac, 0x02));
});

test("bytes taken out are a plain array of their own", () => {
  const sink = new Sink();
  sink.raw(Uint8Array.of(1, 2, 3));
  const bytes = sink.toBytes(1);
  expect(bytes).toEqual(Uint8Array.of(2, 3));
  expect(bytes.constructor).toBe(Uint8Array);
  sink.buffer.fill(0);
  expect(bytes).toEqual(Uint8Array.of(2, 3));
});
