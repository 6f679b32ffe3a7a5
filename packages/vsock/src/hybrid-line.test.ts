// The bounded first line of a stream, in memory: however it is cut, the rest stays whole.
import { Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import "./hybrid.test.support.js";
import { readAll } from "./hybrid.test.support.js";
import { firstLine } from "./hybrid-line.js";

const never = new AbortController().signal;

function memory(): Duplex {
  return new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, i) => bytes.subarray(from, at[i] ?? bytes.length)).filter((part) => part.length > 0);
}

test("any chunking of a line and a payload gives the same line and the same payload", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.stringMatching(/^[ -~]{0,40}$/),
      fc.uint8Array({ maxLength: 400 }),
      fc.array(fc.nat(), { maxLength: 30 }),
      fc.nat(),
      async (text, payload, places, later) => {
        const stream = memory();
        const parts = cut(Buffer.concat([Buffer.from(`${text}\n`), payload]), places);
        const line = firstLine(stream, 64);
        const read = line.read(never);
        for (const [i, part] of parts.entries()) {
          stream.push(part);
          if (i === later % parts.length) await nextTurn();
        }
        stream.push(null);
        expect((await read).is).toBe("line");
        expect(line.received.toString()).toBe(text);
        expect(stream.readableFlowing).not.toBe(true);
        expect(await readAll(stream)).toEqual(Buffer.from(payload));
      },
    ),
  );
});

test.each([
  [63, "line"],
  [64, "long"],
  [65, "long"],
] as const)("%i bytes before the newline, of 64 with it: %s", async (size, is) => {
  for (const step of [1, 7, 100]) {
    const stream = memory();
    const line = firstLine(stream, 64);
    const read = line.read(never);
    const bytes = Buffer.from(`${"x".repeat(size)}\n`);
    for (let from = 0; from < bytes.length; from += step) stream.push(bytes.subarray(from, from + step));
    expect((await read).is).toBe(is);
    expect(line.received.length).toBeLessThanOrEqual(64);
    stream.destroy();
  }
});

test("an end, a failure and a destroyed stream are told apart from a line", async () => {
  const ended = memory();
  ended.push("par");
  ended.push(null);
  const line = firstLine(ended, 64);
  expect(await line.read(never)).toEqual({ is: "closed" });
  expect(line.received.toString()).toBe("par");

  const failed = memory();
  const cause = new Error("broken");
  const read = firstLine(failed, 64).read(never);
  failed.destroy(cause);
  expect(await read).toEqual({ is: "closed", cause });

  expect(await firstLine(failed, 64).read(never)).toEqual({ is: "closed" });
});

test("an end right behind the line waits for the stream's next owner", async () => {
  const stream = memory();
  stream.push("a line\n");
  stream.push(null);
  expect(await firstLine(stream, 64).read(never)).toEqual({ is: "line" });
  await nextTurn();
  expect(stream.readableEnded).toBe(false);
  expect((await readAll(stream)).length).toBe(0);
});

test("no listener stays, whatever happens", async () => {
  const reason = new Error("enough");
  for (const act of ["line", "abort"] as const) {
    const stream = memory();
    const before = stream.eventNames();
    const stop = new AbortController();
    const read = firstLine(stream, 64).read(stop.signal);
    if (act === "line") stream.push("a\nb");
    else stop.abort(reason);
    if (act === "line") await read;
    else await expect(read).rejects.toBe(reason);
    expect(stream.eventNames()).toEqual(before);
    await expect(firstLine(stream, 64).read(AbortSignal.abort(reason))).rejects.toBe(reason);
    stream.destroy();
  }
});
