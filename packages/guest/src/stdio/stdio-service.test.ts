import { type Client, Code } from "@guestwire/rpc";
import { RecvResponse_Source as Source, Stdio } from "@guestwire/stdio";
import { StdIO } from "@guestwire/stdio/vminitd";
import { Task } from "@guestwire/types/task/v3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { errorOf, type TestGuest, testGuest, textOfAll } from "../guest.test.support.js";

let guest: TestGuest;
let tasks: Client<typeof Task>;
let stdio: Client<typeof StdIO>;
let seed: Client<typeof Stdio>;
const bytes = (text: string): Uint8Array => Buffer.from(text);

beforeAll(async () => {
  guest = await testGuest();
  tasks = guest.client(Task);
  stdio = guest.client(StdIO);
  seed = guest.client(Stdio);
});

afterAll(() => guest[Symbol.asyncDispose]());

async function start(containerId: string, script: string): Promise<{ containerId: string }> {
  await guest.container(containerId, ["sh", "-c", script]);
  await tasks.start({ id: containerId });
  return { containerId };
}

test("several readers get all output and one end each", async () => {
  await guest.container("echo", ["sh", "-c", "cat; echo bad >&2"]);
  const name = { containerId: "echo" };
  const readers = [stdio.readStdout(name), stdio.readStdout(name)].map(async (stream) => {
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return chunks;
  });
  const errors = textOfAll(stdio.readStderr(name));
  await tasks.start({ id: "echo" });
  expect(await stdio.writeStdin({ ...name, data: bytes("one ") })).toMatchObject({ bytesWritten: 4 });
  expect(await stdio.writeStdin({ ...name, data: bytes("two") })).toMatchObject({ bytesWritten: 3 });
  expect(await stdio.writeStdin({ ...name })).toMatchObject({ bytesWritten: 0 });
  await stdio.closeStdin(name);
  for (const chunks of await Promise.all(readers)) {
    expect(Buffer.concat(chunks.map(({ data }) => data)).toString()).toBe("one two");
    expect(chunks.map(({ eof }) => eof)).toEqual([...Array(chunks.length - 1).fill(false), true]);
  }
  expect(await errors).toBe("bad\n");
});

test("a late reader gets nothing that came before, an even later one only the end", async () => {
  const name = await start("late", "echo early; read -r go; echo late; read -r go");
  const first = stdio.readStdout(name);
  expect(Buffer.from((await first.next()).value?.data ?? []).toString()).toBe("early\n");
  const both = Promise.all([first, stdio.readStdout(name)].map(textOfAll));
  await stdio.writeStdin({ ...name, data: bytes("\n") });
  await stdio.closeStdin(name);
  expect(await both).toEqual(["late\n", "late\n"]);
  await tasks.wait({ id: "late" });
  const third = stdio.readStdout(name);
  expect((await third.next()).value).toMatchObject({ eof: true });
  expect((await third.next()).done).toBe(true);
});

test("what a process wrote before its first reader came is there, even after its end", async () => {
  const name = await start("quick", "echo quick");
  await tasks.wait({ id: "quick" });
  expect(await textOfAll(stdio.readStdout(name))).toBe("quick\n");
  await tasks.delete({ id: "quick" });
  expect((await errorOf(stdio.readStdout(name))).code).toBe(Code.NotFound);
});

test("output is cut into pieces of at most 32 KiB and arrives whole", async () => {
  const name = await start("large", "read -r go; head -c 1000000 /dev/zero");
  const sizes: number[] = [];
  await Promise.all([
    stdio.writeStdin({ ...name, data: bytes("\n") }),
    (async () => {
      for await (const { data } of stdio.readStdout(name)) sizes.push(data.length);
    })(),
  ]);
  expect(sizes.reduce((sum, size) => sum + size)).toBe(1_000_000);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(32 * 1024);
});

test("after its end input is refused", async () => {
  const name = await start("deaf", "exec sleep 1000");
  await stdio.closeStdin(name);
  const calls = [
    stdio.closeStdin(name),
    stdio.writeStdin({ ...name, data: bytes("x") }),
    seed.closeStdin(name),
    seed.write({ ...name, data: bytes("x") }),
  ];
  for (const call of calls) expect((await errorOf(call)).code).toBe(Code.FailedPrecondition);
  await tasks.kill({ id: "deaf", signal: 9 });
});

test("a writer who gives up is not waited for", async () => {
  const name = await start("full", "exec sleep 1000");
  const error = await errorOf(stdio.writeStdin({ ...name, data: Buffer.alloc(1 << 20) }, { timeoutMs: 20 }));
  expect(error.code).toBe(Code.DeadlineExceeded);
  await tasks.kill({ id: "full", signal: 9 });
});

test("unknown processes are NotFound and an empty container id InvalidArgument", async () => {
  await start("known", "exec sleep 1000");
  for (const [name, code] of [
    [{ containerId: "nobody" }, Code.NotFound],
    [{ containerId: "known", execId: "nobody" }, Code.NotFound],
    [{ containerId: "" }, Code.InvalidArgument],
  ] as const) {
    const calls = [
      stdio.writeStdin(name),
      stdio.closeStdin(name),
      stdio.readStdout(name),
      stdio.readStderr(name),
      seed.write(name),
      seed.closeStdin(name),
      seed.recv(name),
    ];
    for (const call of calls) expect((await errorOf(call)).code).toBe(code);
  }
  await tasks.kill({ id: "known", signal: 9 });
});

test("the seed's shape carries both outputs in one stream, each with its end", async () => {
  await guest.container("seed", ["sh", "-c", "cat; echo bad >&2"]);
  const name = { containerId: "seed" };
  const received = (async () => {
    const texts: Record<number, string> = {};
    const ends: number[] = [];
    for await (const { source, data, eof } of seed.recv(name)) {
      texts[source] = `${texts[source] ?? ""}${Buffer.from(data)}`;
      if (eof) ends.push(source);
    }
    return { texts, ends };
  })();
  await tasks.start({ id: "seed" });
  expect(await seed.write({ ...name, data: bytes("in") })).toMatchObject({ bytesWritten: 2 });
  await seed.closeStdin(name);
  const { texts, ends } = await received;
  expect(texts).toEqual({ [Source.STDOUT]: "in", [Source.STDERR]: "bad\n" });
  expect(ends.sort()).toEqual([Source.STDOUT, Source.STDERR]);
});

test("leaving a stream leaves the process alone", async () => {
  const name = await start("left", "while echo x; do read -r go; done");
  for await (const _ of stdio.readStdout(name)) break;
  const again = stdio.readStdout(name);
  const next = again.next();
  await stdio.writeStdin({ ...name, data: bytes("\n") });
  expect(Buffer.from((await next).value?.data ?? []).toString()).toBe("x\n");
  await tasks.kill({ id: "left", signal: 9 });
  await again.return?.();
});
