import { readFileSync } from "node:fs";
import { Code, createPushStream, type PushStream } from "@guestwire/rpc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { alive, errorOf } from "../../guest.test.support.js";
import { readAll, readUntil, type TestRoss, testRoss, wires } from "../ross.test.support.js";

describe.each(wires)("over %s", (wire) => {
  let ross: TestRoss;

  beforeAll(async () => {
    ross = await testRoss(wire);
  });
  afterAll(() => ross[Symbol.asyncDispose]());

  type Input = {
    input:
      | { case: "start"; value: { containerId: string; tty?: boolean } }
      | { case: "stdin"; value: Uint8Array }
      | { case: "resize"; value: { width: number; height: number } };
  };
  const typed = (text: string): Input => ({ input: { case: "stdin", value: Buffer.from(text) } });
  const sized = (width: number, height: number): Input => ({ input: { case: "resize", value: { width, height } } });

  /** A session of a script on a terminal. */
  async function session(
    script: string,
    tty = true,
  ): Promise<{ inputs: PushStream<Input>; items: AsyncIterator<unknown> & AsyncIterable<unknown>; id: string }> {
    const id = await ross.shell(script);
    const inputs = createPushStream<Input>();
    void inputs.push({ input: { case: "start", value: { containerId: id, tty } } });
    return { inputs, items: ross.containers.runInteractive(inputs), id };
  }

  test("a terminal has the size that was sent right after the start, and hears of another one", async () => {
    const { inputs, items } = await session(
      'stty size; trap "stty size; exit 3" WINCH; echo ready; while :; do sleep 0.05; done',
    );
    void inputs.push(sized(132, 43));
    expect(await readUntil(items, "ready")).toContain("43 132\r\n");
    void inputs.push(sized(100, 30));
    expect(await readAll(items)).toMatchObject({ stdout: expect.stringContaining("30 100\r\n"), code: 3 });
  });

  test("without a size a terminal has 80 columns and 24 rows", async () => {
    const { items } = await session("stty size; tty; test -t 0 && test -t 1 && test -t 2 && echo all");
    const { stdout, code } = await readAll(items);
    expect(stdout).toMatch(/^24 80\r\n\/dev\/pts\/\d+\r\nall\r\n$/);
    expect(code).toBe(0);
  });

  test("what is typed is echoed and read, raw bytes go both ways", async () => {
    const { inputs, items } = await session(
      "read -r line; echo got $line; stty raw -echo; echo raw; head -c 256 | od -An -v -tu1 -w256",
    );
    await inputs.push(typed("hello\n"));
    const text = await readUntil(items, "raw");
    expect(text).toContain("hello\r\ngot hello\r\n");
    await inputs.push({ input: { case: "stdin", value: Uint8Array.from({ length: 256 }, (_, byte) => byte) } });
    const { stdout } = await readAll(items);
    expect(stdout.trim().split(/\s+/).map(Number)).toEqual(Array.from({ length: 256 }, (_, byte) => byte));
  });

  test("Ctrl-C interrupts the program, whose exit says so", async () => {
    const { inputs, items } = await session("echo begun; exec sleep 1000");
    await readUntil(items, "begun");
    await inputs.push(typed("\x03"));
    expect((await readAll(items)).code).toBe(130);
  });

  test("a shell with job control runs jobs in the foreground and in the background", async () => {
    const { inputs, items, id } = await session("PS1='$ ' exec sh -i");
    await readUntil(items, "$ ");
    await inputs.push(typed("sleep 1000 & echo job $!.\n"));
    const pid = Number(/job (\d+)\./.exec(await readUntil(items, /job \d+\./))?.[1]);
    expect(alive(pid)).toBe(true);
    await inputs.push(typed("sh -c 'echo in front; exec sleep 1000'\n"));
    await readUntil(items, "in front\r\n");
    await inputs.push(typed("\x03echo still here\n"));
    await readUntil(items, "still here\r\n");
    await inputs.push(typed("exit 7\n"));
    expect((await readAll(items)).code).toBe(7);
    // The job was in a group of its own; it ends with the container nevertheless.
    expect(alive(pid)).toBe(false);
    expect((await ross.containers.inspectContainer({ containerId: id })).state).toMatchObject({
      status: "stopped",
      exitCode: 7,
    });
  });

  test("the end of the input is Ctrl-D for a terminal, also behind an unfinished line", async () => {
    const { inputs, items } = await session("stty -echo; echo ready; cat; echo; echo over");
    await readUntil(items, "ready");
    await inputs.push(typed("one\ntwo"));
    inputs.end();
    expect((await readAll(items)).stdout).toContain("one\r\ntwo\r\nover\r\n");
  });

  test("100,000 lines arrive complete, the last ones too, through a reader that takes its time", async () => {
    const { items } = await session("seq 100000");
    let text = "";
    let code: bigint | undefined;
    let count = 0;
    for await (const item of items) {
      const { output } = item as { output: { case: string; value: { data: Uint8Array; statusCode: bigint } } };
      if (output.case === "exit") code = output.value.statusCode;
      else text += Buffer.from(output.value.data).toString();
      // Lets output pile up, again and again.
      if (count++ % 32 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const lines = text.split("\r\n");
    expect(lines).toHaveLength(100_001);
    expect(lines.every((line, index) => line === String(index + 1) || index === 100_000)).toBe(true);
    expect(code).toBe(0n);
  });

  test("a container whose reader stands still stands still too, and goes on with it", async () => {
    const { items } = await session("echo pid $$.; exec yes");
    const pid = /pid (\d+)\./.exec(await readUntil(items, /pid \d+\./))?.[1];
    const written = () => /^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "latin1"))?.[1];
    let before: string | undefined;
    await expect
      .poll(
        () => {
          const stands = before === written();
          before = written();
          return stands;
        },
        { interval: 100, timeout: 30_000 },
      )
      .toBe(true);
    // What waits on the way is bounded: the windows of the wire, 64 pieces, and what the kernel keeps.
    expect(Number(before)).toBeLessThan(32 * 1024 * 1024);
    const more = async (bytes: number) => {
      for (let read = 0; read < bytes; ) {
        const { value } = await items.next();
        read += (value as { output: { value: { data: Uint8Array } } }).output.value.data.length;
      }
    };
    await more(Number(before));
    await expect.poll(() => written() !== before).toBe(true);
    await items.return?.();
  });

  test("a program that does not read its terminal holds up neither the guest nor a resize", async () => {
    const { inputs, items, id } = await session(
      'stty raw -echo; trap "stty size; kill $!; exit" WINCH; echo ready; sleep 1000 & wait',
    );
    await readUntil(items, "ready");
    for (let sent = 0; sent < 6; sent++)
      await inputs.push({ input: { case: "stdin", value: Buffer.alloc(100_000, "x") } });
    expect((await ross.containers.inspectContainer({ containerId: id })).state?.running).toBe(true);
    await inputs.push(sized(90, 20));
    expect((await readAll(items)).stdout).toContain("20 90");
  });

  test("without a terminal the streams are apart, and the end of the input is an end", async () => {
    const { inputs, items } = await session("cat; echo err >&2; test -t 0 || echo no terminal", false);
    await inputs.push(typed("bytes\n"));
    void inputs.push(sized(1, 1));
    inputs.end();
    expect(await readAll(items)).toEqual({ stdout: "bytes\nno terminal\n", stderr: "err\n", code: 0 });
  });

  test("a caller who leaves does not end the container, and another one joins it", async () => {
    const { inputs, items, id } = await session("read -r a; echo heard $a; read -r b; exit 5");
    await inputs.push(typed("one\n"));
    await readUntil(items, "heard one");
    await items.return?.();
    expect((await ross.containers.inspectContainer({ containerId: id })).state?.status).toBe("running");
    const requests = createPushStream<{
      containerId?: string;
      stream?: boolean;
      stdin?: boolean;
      logs?: boolean;
      input?: Uint8Array;
    }>();
    void requests.push({ containerId: id, stream: true, stdin: true, logs: true });
    const joined = ross.containers.attach(requests);
    expect(await readUntil(joined, "heard one")).toContain("heard one");
    await requests.push({ input: Buffer.from("two\n") });
    for await (const _ of joined);
    expect((await ross.containers.inspectContainer({ containerId: id })).state).toMatchObject({
      status: "stopped",
      exitCode: 5,
    });
  });

  test("a stop ends an interactive shell at once, which passes over SIGTERM", async () => {
    const { items, id } = await session("PS1='$ ' exec sh -i");
    await readUntil(items, "$ ");
    await ross.containers.stopContainer({ containerId: id, timeout: 1000 });
    expect((await readAll(items)).code).toBeGreaterThan(0);
  });

  test("what is wrong with a session is its status", async () => {
    const run = (...inputs: Input[]) => errorOf(ross.containers.runInteractive(inputs));
    const start = (containerId: string): Input => ({ input: { case: "start", value: { containerId, tty: true } } });
    expect((await run()).code).toBe(Code.InvalidArgument);
    expect((await run(typed("x"), start("x"))).rawMessage).toBe("start: must be the first message: invalid argument");
    expect((await run(start(""))).code).toBe(Code.InvalidArgument);
    expect((await run(start("nobody"))).code).toBe(Code.NotFound);
    const missing = await ross.shell("", { cmd: ["no-such-program"] });
    const error = await run(start(missing));
    expect(error.code).toBe(Code.FailedPrecondition);
    expect(error.rawMessage).toMatch(/cannot be run: "no-such-program" is not found/);
    const once = await ross.shell("exit 0");
    await readAll(ross.containers.runInteractive([start(once)]));
    expect((await run(start(once))).rawMessage).toContain("invalid state: expected created, actual stopped");
  });
});
