import { once } from "node:events";
import { createConnection, createServer, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { Code } from "@guestwire/rpc";
import { createStreamServer, openStream, type RawStream } from "@guestwire/stdio/streams";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createClock } from "../clock.js";
import { ProcessOutput } from "../process/process-output.js";
import { newScope } from "../process/scope.js";
import { claimIo } from "./task-io.js";
import { TaskProcess } from "./task-process.js";
import { TaskStreams } from "./task-streams.js";
import { closed, textOf } from "./task-streams.test.support.js";

const streams = createStreamServer();
const listener = createServer({ allowHalfOpen: true }, (socket) => streams.attach(socket));
let port: number;

beforeAll(async () => {
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  port = (listener.address() as { port: number }).port;
});

afterAll(async () => {
  listener.close();
  await streams.close();
});

const open = (): Promise<RawStream<Socket>> => openStream(() => createConnection(port, "127.0.0.1"), { timeoutMs: 0 });

/** The parts of a process, moved by hand. */
function handMoved() {
  const changes: boolean[] = [];
  const stdout: ProcessOutput = new ProcessOutput(() => changes.push(stdout.flowing));
  const stderr = new ProcessOutput(() => {});
  const exit = Promise.withResolvers<{ code: number; at: number }>();
  const written: Uint8Array[] = [];
  const ended = Promise.withResolvers<void>();
  const stdin = {
    async write(data: Uint8Array) {
      written.push(data);
      return data.length;
    },
    end: () => ended.resolve(),
  };
  return { stdin, stdout, stderr, exited: exit.promise, exit, written, inputEnded: ended.promise, changes };
}

test("a host that takes no output has its streams closed a while after the process ended", async () => {
  const stream = await open();
  const process = handMoved();
  const claimed = (await TaskStreams.claim(streams, { stdin: undefined, stdout: stream.id, stderr: undefined }, 20))!;
  claimed.join(process);
  while (process.stdout.flowing) process.stdout.push(new Uint8Array(65_536));
  process.stdout.end();
  process.exit.resolve({ code: 0, at: 0 });
  await claimed.closed;
  await closed(stream);
  expect(streams.claimed).toBe(0);
});

test("an output stands still while its stream is full, whoever else reads it, and goes on with the stream's room", async () => {
  const stream = await open();
  const process = handMoved();
  const claimed = (await TaskStreams.claim(streams, { stdin: undefined, stdout: stream.id, stderr: undefined }))!;
  claimed.join(process);
  let seen = 0;
  const leave = process.stdout.subscribe({
    hasRoom: () => true,
    chunk: (data) => (seen += data.length),
    end: () => {},
  });
  let pushed = 0;
  while (process.stdout.flowing) {
    process.stdout.push(new Uint8Array(65_536));
    pushed += 65_536;
    await new Promise((resolve) => setImmediate(resolve));
  }
  process.changes.length = 0;
  const text = textOf(stream);
  while (!process.changes.includes(true)) await new Promise((resolve) => setImmediate(resolve));
  leave();
  process.stdout.end();
  process.exit.resolve({ code: 0, at: 0 });
  expect((await text).length).toBe(pushed);
  expect(seen).toBe(pushed);
  await claimed.closed;
});

test("input that breaks off ends the process's input; what comes after the process ended is dropped", async () => {
  const [stdin, later] = [await open(), await open()];
  const process = handMoved();
  const claimed = (await TaskStreams.claim(streams, { stdin: stdin.id, stdout: undefined, stderr: undefined }))!;
  claimed.join(process);
  claimed.flow(process);
  stdin.write("some");
  while (process.written.length === 0) await new Promise((resolve) => setImmediate(resolve));
  stdin.resetAndDestroy();
  await process.inputEnded;
  await claimed.closed;
  expect(Buffer.concat(process.written).toString()).toBe("some");

  const ended = handMoved();
  const idle = (await TaskStreams.claim(streams, { stdin: later.id, stdout: undefined, stderr: undefined }))!;
  idle.join(ended);
  idle.flow(ended);
  ended.exit.resolve({ code: 0, at: 0 });
  await idle.closed;
  await closed(later);
});

test("streams that cannot all be claimed are all closed", async () => {
  const stream = await open();
  const claiming = TaskStreams.claim(streams, { stdin: stream.id, stdout: 4_000_000_000, stderr: undefined });
  await expect(claiming).rejects.toMatchObject({ code: Code.NotFound });
  await closed(stream);
  expect(await TaskStreams.claim(streams, { stdin: undefined, stdout: undefined, stderr: undefined })).toBeUndefined();
});

test("a process has ended when its stream has taken the last byte, not before", async () => {
  const taken: Buffer[] = [];
  const open = Promise.withResolvers<void>();
  // Takes nothing until it is told to; the id comes from it first.
  const slow = new Duplex({
    read() {},
    write(data: Buffer, _encoding, done) {
      taken.push(data);
      if (taken.length === 1) done();
      else void open.promise.then(() => done());
    },
  });
  streams.attach(slow);
  slow.push(Buffer.from([0, 0, 0x70, 0]));
  const names = { terminal: false, stdin: "", stdout: "stream://28672", stderr: "" };
  await new Promise((resolve) => setImmediate(resolve));
  const io = await claimIo(streams, names);
  const spec = { args: ["head", "-c", "50000", "/dev/zero"], env: { PATH: "/usr/bin:/bin" }, cwd: "/" };
  const home = { subject: "tasks/x", scope: newScope("test", "task", "x"), clock: createClock() };
  const target = new TaskProcess("x", spec, io, home);
  await target.run();
  let over = false;
  const ended = target.ended.then(({ code }) => {
    over = true;
    return code;
  });
  await target.process.exited;
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(over).toBe(false);
  open.resolve();
  expect(await ended).toBe(0);
  expect(slow.closed).toBe(true);
  expect(Buffer.concat(taken).length).toBe(4 + 50_000);
});
