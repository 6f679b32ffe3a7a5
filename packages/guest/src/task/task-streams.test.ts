import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fromBinary } from "@bufbuild/protobuf";
import { Bundle } from "@guestwire/bundle/vminitd";
import { Code } from "@guestwire/rpc";
import { StdIO } from "@guestwire/stdio/vminitd";
import { TaskCreateSchema } from "@guestwire/types/events";
import { Events } from "@guestwire/vmevents";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorOf, execSpec, ociConfig, textOfAll } from "../guest.test.support.js";
import {
  bytes,
  closed,
  type StreamingGuest,
  streamingGuest,
  sumOf,
  textOf,
  ways,
} from "./task-streams.test.support.js";

let host: StreamingGuest;

beforeAll(async () => {
  host = await streamingGuest();
});

afterAll(() => host[Symbol.asyncDispose]());

const mebibyte = 1024 * 1024;

describe.each(ways)("over %s", (way) => {
  test("64 MiB go in and come out of cat unchanged, and the exit comes after the last byte", async () => {
    const { stdin, stdout, stderr, exit } = await host.run(["cat"], way);
    const hash = createHash("sha256");
    const [back, errors] = await Promise.all([
      sumOf(stdout),
      textOf(stderr),
      pipeline(Readable.from(bytes(64 * mebibyte, hash)), stdin),
    ]);
    expect(back).toEqual({ size: 64 * mebibyte, sum: hash.digest("hex") });
    expect(errors).toBe("");
    expect(await exit).toBe(0);
  });

  test("a process reads 10 MB to their end", async () => {
    const { stdin, stdout, exit } = await host.run(["wc", "-c"], way);
    await pipeline(Readable.from(bytes(10_000_000)), stdin);
    expect((await textOf(stdout)).trim()).toBe("10000000");
    expect(await exit).toBe(0);
  });

  test("both outputs come apart, with the exit status", async () => {
    const { stdout, stderr, exit } = await host.run(["sh", "-c", "echo out; echo err >&2; exit 7"], way);
    expect(await Promise.all([textOf(stdout), textOf(stderr), exit])).toEqual(["out\n", "err\n", 7]);
  });

  test("an id in use is refused, and the stream that has it lives on", async () => {
    const first = await host.open(way);
    const error = await errorOf(host.open(way, first.id));
    expect(error.code).toBe(Code.AlreadyExists);
    expect(error.rawMessage).toContain(`closed stream ${first.id} in place of echoing its id`);
    await host.tasks.exec({ id: host.id, execId: `twice-${way}`, spec: execSpec(["echo", "x"]), stdout: first.url });
    expect((await errorOf(host.open(way, first.id))).code).toBe(Code.AlreadyExists);
    await host.tasks.start({ id: host.id, execId: `twice-${way}` });
    expect(await textOf(first)).toBe("x\n");
  });

  test("a host that does not read holds the process up, and loses nothing", async () => {
    const { stdout, exit, execId } = await host.run(["sh", "-c", "head -c 8388608 /dev/zero; exit 5"], way);
    let ended = false;
    const end = exit.finally(() => {
      ended = true;
    });
    await once(stdout, "readable");
    // The process would be through with it long before.
    for (let i = 0; i < 200; i++) await host.tasks.state({ id: host.id, execId });
    expect(ended).toBe(false);
    expect((await sumOf(stdout)).size).toBe(8 * mebibyte);
    expect(await end).toBe(5);
  });

  test("a host that goes away stops neither the process nor its exit", async () => {
    const script = "read -r line; head -c 4194304 /dev/zero; head -c 4194304 /dev/zero >&2; exit 3";
    const { stdin, stdout, stderr, exit } = await host.run(["sh", "-c", script], way);
    stdout.destroy();
    stderr.destroy();
    stdin.end("go\n");
    expect(await exit).toBe(3);
    await closed(stdin);
  });

  test("a host that closes the input ends it, and a process that closes it ends the stream", async () => {
    const reading = await host.run(["cat"], way);
    reading.stdin.destroy();
    expect(await reading.exit).toBe(0);
    const closing = await host.run(["sh", "-c", "exec <&-; echo closed; exec sleep 1000"], way);
    await once(closing.stdout, "readable");
    closing.stdin.on("error", () => {});
    const gone = closed(closing.stdin);
    while (!closing.stdin.destroyed) {
      closing.stdin.write("x");
      await new Promise((resolve) => setImmediate(resolve));
    }
    await gone;
    await host.tasks.kill({ id: host.id, execId: closing.execId, signal: 9 });
    expect(await closing.exit).toBe(137);
  });
});

test("a container's own process has its streams, and its state and its event name them", async () => {
  const { tasks, guest } = host;
  const events = guest.open();
  const stream = guest.client(Events).stream({}, {});
  const [stdin, stdout] = [await host.open(), await host.open()];
  const files = { "config.json": ociConfig(["sh", "-c", "cat; echo err >&2"]) };
  const { bundle } = await guest.client(Bundle).create({ id: "own", files });
  stdin.end("early input");
  const names = { stdin: stdin.url, stdout: stdout.url, stderr: stdout.url };
  await tasks.create({ id: "own", bundle, ...names });
  for await (const { topic, event } of stream) {
    if (topic !== "/tasks/create") continue;
    expect(fromBinary(TaskCreateSchema, (event as { value: Uint8Array }).value).io).toMatchObject(names);
    break;
  }
  expect(await tasks.state({ id: "own" })).toMatchObject({ ...names, terminal: false });
  await tasks.start({ id: "own" });
  expect(await textOf(stdout)).toBe("early inputerr\n");
  expect((await tasks.wait({ id: "own" })).exitStatus).toBe(0);
  await tasks.delete({ id: "own" });
  await events.close();
});

test("without a stdin there is nothing to read; an output without a stream goes to StdIO", async () => {
  const stdout = await host.open();
  const spec = execSpec(["sh", "-c", "cat; echo out; echo err >&2"]);
  await host.tasks.exec({ id: host.id, execId: "no-stdin", spec, stdout: stdout.url });
  const errors = textOfAll(host.guest.client(StdIO).readStderr({ containerId: host.id, execId: "no-stdin" }));
  await host.tasks.start({ id: host.id, execId: "no-stdin" });
  expect([await textOf(stdout), await errors]).toEqual(["out\n", "err\n"]);
});

test("an input that is over before the process begins is an empty one", async () => {
  const [stdin, stdout] = [await host.open(), await host.open()];
  stdin.end();
  const names = { stdin: stdin.url, stdout: stdout.url };
  await host.tasks.exec({ id: host.id, execId: "empty", spec: execSpec(["wc", "-c"]), ...names });
  // The guest has seen the end by now: it was sent before these were asked.
  for (let i = 0; i < 20; i++) await host.tasks.state({ id: host.id, execId: "empty" });
  await host.tasks.start({ id: host.id, execId: "empty" });
  expect((await textOf(stdout)).trim()).toBe("0");
  await closed(stdin);
});

test("one stream can carry both ways", async () => {
  const both = await host.open();
  both.allowHalfOpen = true;
  await host.tasks.exec({ id: host.id, execId: "both", spec: execSpec(["cat"]), stdin: both.url, stdout: both.url });
  await host.tasks.start({ id: host.id, execId: "both" });
  both.end("there and back");
  expect(await textOf(both)).toBe("there and back");
  expect((await host.tasks.wait({ id: host.id, execId: "both" })).exitStatus).toBe(0);
});

test("a terminal is one stream in and one out, with a size", async () => {
  const [stdin, stdout] = [await host.open(), await host.open()];
  const names = { terminal: true, stdin: stdin.url, stdout: stdout.url };
  const spec = execSpec([
    "sh",
    "-c",
    "stty -echo; tty >/dev/null && stty size; read -r line; echo got $line >&2; exit 4",
  ]);
  const wrong = await errorOf(host.tasks.exec({ id: host.id, execId: "tty", spec, ...names, stderr: stdout.url }));
  expect(wrong).toMatchObject({
    code: Code.InvalidArgument,
    rawMessage: expect.stringMatching(/^stderr: must be empty/),
  });
  await host.tasks.exec({ id: host.id, execId: "tty", spec, ...names });
  await host.tasks.resizePty({ id: host.id, execId: "tty", width: 132, height: 43 });
  await host.tasks.start({ id: host.id, execId: "tty" });
  expect(await host.tasks.state({ id: host.id, execId: "tty" })).toMatchObject(names);
  const output = textOf(stdout);
  stdin.write("typed\n");
  expect((await host.tasks.wait({ id: host.id, execId: "tty" })).exitStatus).toBe(4);
  expect(await output).toMatch(/43 132\r\n[\s\S]*got typed\r\n/);
  await closed(stdin);
});

test("a container's own process can have a terminal, and what never starts is given up", async () => {
  const [stdin, stdout] = [await host.open(), await host.open()];
  const files = { "config.json": ociConfig(["sh", "-c", "test -t 0 && echo terminal"]) };
  const { bundle } = await host.guest.client(Bundle).create({ id: "tty", files });
  const names = { terminal: true, stdin: stdin.url, stdout: stdout.url };
  await host.tasks.create({ id: "tty", bundle, ...names });
  const never = await host.open();
  await host.tasks.exec({ id: "tty", execId: "x", spec: execSpec(["true"]), terminal: true, stdout: never.url });
  await host.tasks.delete({ id: "tty", execId: "x" });
  expect(await textOf(never)).toBe("");
  await host.tasks.start({ id: "tty" });
  expect(await textOf(stdout)).toBe("terminal\r\n");
  await host.tasks.wait({ id: "tty" });
  await host.tasks.delete({ id: "tty" });
});

test("names that lead to no stream are refused by their fields, and what was claimed for nothing is closed", async () => {
  const { tasks, id } = host;
  const spec = execSpec(["sleep", "1000"]);
  const { bundle } = await tasks.state({ id });
  const stdin = await host.open();
  const absent = await errorOf(tasks.exec({ id, execId: "a", spec, stdin: stdin.url, stdout: "stream://4000000000" }));
  expect(absent.code).toBe(Code.NotFound);
  expect(absent.rawMessage).toContain("stream://4000000000: no connection brought that id");
  await closed(stdin);
  expect((await errorOf(tasks.create({ id: "new", bundle, stdout: "stream://4000000000" }))).code).toBe(Code.NotFound);

  for (const stdout of ["stream://0", "stream://", "stream://x", "stream://4294967296", "stream://1/x"]) {
    const wrong = await errorOf(tasks.create({ id: "new", bundle, stdout }));
    expect(wrong.code).toBe(Code.InvalidArgument);
    expect(wrong.rawMessage).toMatch(/^stdout: "stream:.* names no stream/);
  }

  const taken = await host.run(["cat"]);
  const { url: stdout } = taken.stdout;
  expect((await errorOf(tasks.exec({ id, execId: "b", spec, stdout }))).code).toBe(Code.FailedPrecondition);
  taken.stdin.end();
  expect(await taken.exit).toBe(0);
});

test("500 streams and 30 processes on three each leave no descriptor behind", async () => {
  const count = (): number => readdirSync("/proc/self/fd").length;
  const warm = await host.run(["true"]);
  await warm.exit;
  await Promise.all([closed(warm.stdin), closed(warm.stdout), closed(warm.stderr)]);
  const { streams } = host.guest.guest;
  while (streams.claimed > 0) await new Promise((resolve) => setImmediate(resolve));
  const before = count();
  for (let round = 0; round < 10; round++) {
    const opened = await Promise.all(Array.from({ length: 50 }, () => host.open(ways[round % 2])));
    // Claimed and given back in both orders; the rest is left to the host's end.
    for (const stream of opened.slice(0, 25)) (await streams.take(stream.id)).destroy();
    for (const stream of opened) stream.destroy();
    await Promise.all(opened.map(closed));
    for (const stream of opened.slice(25)) (await streams.take(stream.id)).resume().end();
    const runs = await Promise.all([1, 2, 3].map(() => host.run(["true"])));
    await Promise.all(
      runs.flatMap(({ stdin, stdout, stderr, exit }) => [exit, ...[stdin, stdout, stderr].map(closed)]),
    );
  }
  while (streams.claimed > 0 || count() > before) await new Promise((resolve) => setImmediate(resolve));
  expect(streams.unclaimed).toBe(0);
});

test("a guest that ends ends all streams", async () => {
  await using ending = await streamingGuest();
  const idle = await ending.open();
  const { stdin, stdout, stderr, exit } = await ending.run(["sh", "-c", "echo begun; exec sleep 1000"]);
  await once(stdout, "readable");
  const gone = Promise.all([idle, stdin, stdout, stderr].map(closed));
  await ending.guest.guest.close({ graceMs: 0 });
  await gone;
  expect(await exit).toBeGreaterThan(128);
});
