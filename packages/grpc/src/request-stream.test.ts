// The stream of requests that a handler reads: what it asks of the wire, and how it ends.
import type { Message } from "@bufbuild/protobuf";
import { Code, RpcError } from "@guestwire/rpc";
import { expect, test } from "vitest";
import { RequestStream } from "./request-stream.js";

const message = (text: string): Message => ({ $typeName: text }) as Message;
const done = { done: true, value: undefined };

test("asks for one message for each that is read, and never ahead", async () => {
  let asked = 0;
  const stream = new RequestStream(() => asked++);
  expect(asked).toBe(0);
  const [first, second] = [stream.next(), stream.next()];
  expect(asked).toBe(1);
  stream.push(message("a"));
  expect(await first).toEqual({ done: false, value: message("a") });
  expect(asked).toBe(2);
  stream.push(message("b"));
  expect(await second).toEqual({ done: false, value: message("b") });
  expect(asked).toBe(2);
});

test("takes answers that come while it asks", async () => {
  const waiting = ["a", "b"];
  const stream: RequestStream = new RequestStream(() => {
    const next = waiting.shift();
    if (next === undefined) stream.end();
    else stream.push(message(next));
  });
  const read: string[] = [];
  for await (const { $typeName } of stream) read.push($typeName);
  expect(read).toEqual(["a", "b"]);
});

test("drops any number of messages that are there already once the reader has left", async () => {
  let waiting = 100_000;
  const stream: RequestStream = new RequestStream(() => {
    if (waiting === 0) stream.end();
    else {
      waiting--;
      stream.push(message("dropped"));
    }
  });
  for await (const _ of stream) break;
  expect(waiting).toBe(0);
  expect(await stream.next()).toEqual(done);
});

test("an error comes once, to whoever reads first, also where nobody reads yet", async () => {
  const error = new RpcError(Code.Canceled, "gone");
  for (const early of [true, false]) {
    const stream = new RequestStream(() => {});
    const waiting = early ? [stream.next(), stream.next()] : [];
    stream.fail(error);
    await expect(early ? waiting[0] : stream.next()).rejects.toBe(error);
    expect(await (early ? waiting[1] : stream.next())).toEqual(done);
    expect(await stream.next()).toEqual(done);
  }
});

test("after the end an error is none", async () => {
  const stream = new RequestStream(() => {});
  stream.end();
  stream.fail(new RpcError(Code.Canceled, "gone"));
  expect(await stream.next()).toEqual(done);
});

test("who leaves hears nothing more; what still comes is taken and dropped", async () => {
  let asked = 0;
  const stream = new RequestStream(() => asked++);
  const waiting = stream.next();
  expect(await stream.return()).toEqual(done);
  expect(await waiting).toEqual(done);
  for (let i = 0; i < 3; i++) stream.push(message("late"));
  expect(asked).toBe(4);
  stream.fail(new RpcError(Code.Canceled, "gone"));
  expect(await stream.next()).toEqual(done);
  expect(asked).toBe(4);
});
