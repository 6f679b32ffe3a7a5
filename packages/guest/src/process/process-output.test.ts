import { expect, test } from "vitest";
import { chunkBytes, keptBytes, subscriberChunks } from "../limits.js";
import { ProcessOutput } from "./process-output.js";
import { readOutput } from "./read-output.js";

type Message = { data?: Uint8Array; end?: true };

const read = (output: ProcessOutput, signal?: AbortSignal) =>
  readOutput<Message>([{ output, chunk: (data) => ({ data }), end: { end: true } }], signal);

async function all(messages: AsyncIterable<Message>): Promise<Message[]> {
  const found: Message[] = [];
  for await (const message of messages) found.push(message);
  return found;
}

const sizes = (messages: Message[]) => messages.map(({ data }) => data?.length ?? "end");

test("every subscriber gets every piece, of at most 32 KiB, and one end", async () => {
  const output = new ProcessOutput(() => {});
  const readers = [read(output), read(output)];
  output.push(Buffer.alloc(2 * chunkBytes + 1));
  output.end();
  output.push(Buffer.alloc(1));
  for (const reader of readers) expect(sizes(await all(reader))).toEqual([chunkBytes, chunkBytes, 1, "end"]);
});

test("what came before the first subscriber is kept for it alone", async () => {
  const output = new ProcessOutput(() => {});
  output.push(Buffer.from("early"));
  const first = read(output);
  const second = read(output);
  output.push(Buffer.from("later"));
  output.end();
  expect(sizes(await all(first))).toEqual([5, 5, "end"]);
  expect(sizes(await all(second))).toEqual([5, "end"]);
});

test("of what came before the first subscriber the last 256 KiB are kept, to the byte", async () => {
  const output = new ProcessOutput(() => {});
  output.push(Buffer.alloc(10, "a"));
  output.push(Buffer.alloc(keptBytes - 5, "b"));
  output.end();
  const kept = Buffer.concat((await all(read(output))).map(({ data }) => data ?? new Uint8Array()));
  expect(kept.length).toBe(keptBytes);
  expect(kept.subarray(0, 6).toString()).toBe("aaaaab");
});

test("once somebody subscribed nothing is kept any more", async () => {
  const output = new ProcessOutput(() => {});
  await read(output).return();
  output.push(Buffer.from("nobody hears"));
  output.end();
  expect(sizes(await all(read(output)))).toEqual(["end"]);
});

test("a single slow subscriber stops the flow and loses nothing", async () => {
  let changes = 0;
  const output = new ProcessOutput(() => changes++);
  const reader = read(output);
  for (let sent = 0; sent < subscriberChunks; sent++) {
    expect(output.flowing).toBe(true);
    output.push(Buffer.alloc(1));
  }
  expect(output.flowing).toBe(false);
  changes = 0;
  await reader.next();
  expect(output.flowing).toBe(true);
  expect(changes).toBe(1);
  output.push(Buffer.alloc(2));
  output.end();
  expect(sizes(await all(reader))).toEqual([...Array(subscriberChunks - 1).fill(1), 2, "end"]);
});

test("with several subscribers the fastest sets the pace and the slow one loses pieces", async () => {
  const output = new ProcessOutput(() => {});
  const slow = read(output);
  const fast = read(output);
  for (let sent = 0; sent < subscriberChunks + 10; sent++) {
    expect(output.flowing).toBe(true);
    output.push(Buffer.alloc(1));
    await fast.next();
  }
  output.end();
  expect(sizes(await all(fast))).toEqual(["end"]);
  expect(sizes(await all(slow))).toEqual([...Array(subscriberChunks).fill(1), "end"]);
});

test("the flow goes on when the slow subscriber leaves", async () => {
  let flows = false;
  const output: ProcessOutput = new ProcessOutput(() => {
    flows = output.flowing;
  });
  const control = new AbortController();
  const reader = read(output, control.signal);
  for (let sent = 0; sent < subscriberChunks; sent++) output.push(Buffer.alloc(1));
  flows = false;
  control.abort();
  expect(flows).toBe(true);
  expect((await reader.next()).done).toBe(true);
});

test("a subscriber whose call is over already takes no place", async () => {
  const output = new ProcessOutput(() => {});
  expect(await all(read(output, AbortSignal.abort()))).toEqual([]);
  for (let sent = 0; sent < subscriberChunks; sent++) output.push(Buffer.alloc(1));
  expect(output.flowing).toBe(true);
});

test("several outputs come in one stream, each with its end", async () => {
  const [left, right] = [new ProcessOutput(() => {}), new ProcessOutput(() => {})];
  const source = (output: ProcessOutput, name: string) => ({ output, chunk: () => name, end: `end of ${name}` });
  const reader = readOutput([source(left, "left"), source(right, "right")]);
  left.push(Buffer.alloc(1));
  left.end();
  right.push(Buffer.alloc(1));
  right.end();
  const found: string[] = [];
  for await (const message of reader) found.push(message);
  expect(found).toEqual(["left", "end of left", "right", "end of right"]);
});

test("a reader that is full of one output loses nothing of another, which came before that stands still", async () => {
  const [left, right] = [new ProcessOutput(() => {}), new ProcessOutput(() => {})];
  const source = (output: ProcessOutput, name: string) => ({ output, chunk: () => name, end: `end of ${name}` });
  const reader = readOutput([source(left, "left"), source(right, "right")]);
  for (let sent = 0; sent < subscriberChunks; sent++) left.push(Buffer.alloc(1));
  expect(right.flowing).toBe(false);
  right.push(Buffer.alloc(1));
  left.end();
  right.end();
  const found: string[] = [];
  for await (const message of reader) found.push(message);
  expect(found.filter((message) => message === "right")).toHaveLength(1);
});
