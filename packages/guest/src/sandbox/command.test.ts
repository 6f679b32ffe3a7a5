import { readdirSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import os from "node:os";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, createPushStream, type PushStream } from "@guestwire/rpc";
import type { ExecInputSchema, ExecOutput, ExecRequestSchema, RunRequestSchema } from "@guestwire/sandbox";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { alive, errorOf } from "../guest.test.support.js";
import { readAll, readUntil, type TestSandboxes, testSandboxes } from "./sandbox.test.support.js";

type Input = Exclude<MessageInitShape<typeof ExecInputSchema>, { $typeName: string }>;
type RunInit = Exclude<MessageInitShape<typeof RunRequestSchema>, { $typeName: string }>;
type ExecInit = Exclude<MessageInitShape<typeof ExecRequestSchema>, { $typeName: string }>;

describe.each(["ttrpc", "grpc"] as const)("over %s", (wire) => {
  let own: TestSandboxes;
  let id: string;

  beforeAll(async () => {
    own = await testSandboxes(wire);
    id = await own.ready({ id: "one", env: { FROM: "sandbox", BOTH: "sandbox" } });
  });
  afterAll(() => own[Symbol.asyncDispose]());

  const run = (script: string, more: RunInit = {}) => own.sandboxes.run({ id, cmd: ["sh", "-c", script], ...more });
  const stdin = (text: string | Uint8Array): Input => ({ payload: { case: "stdin", value: Buffer.from(text) } });
  const resize = (width: number, height: number): Input => ({ payload: { case: "resize", value: { width, height } } });

  /** A command with input. */
  function exec(
    script: string,
    more: ExecInit = {},
  ): { inputs: PushStream<Input>; output: AsyncIterableIterator<ExecOutput> } {
    const inputs = createPushStream<Input>();
    void inputs.push({ payload: { case: "init", value: { id, cmd: ["sh", "-c", script], ...more } } });
    return { inputs, output: own.sandboxes.exec(inputs) };
  }

  /** Once the caller has left, the sandbox still runs until its command has ended. */
  async function readyAgain(): Promise<void> {
    while ((await own.sandboxes.inspect({ id })).state !== "ready");
  }

  test("output comes apart, with the exit code at the end; there is no input", async () => {
    const script = 'echo "$FROM $BOTH $HOME $PWD $USER"; echo bad >&2; cat; exit 7';
    const rootfs = own.rootfs(id);
    expect(await readAll(run(script, { env: { BOTH: "command" } }))).toEqual({
      stdout: `sandbox command ${rootfs} ${rootfs} ${os.userInfo().username}\n`,
      stderr: "bad\n",
      code: 7,
    });
  });

  test("a signal shows in the exit code, and large output arrives whole", async () => {
    expect((await readAll(run("kill -TERM $$"))).code).toBe(143);
    expect((await readAll(run("head -c 3000000 /dev/zero"))).stdout).toHaveLength(3_000_000);
  });

  test("a slow reader loses nothing, and holds up no other sandbox", async () => {
    const size = 20_000_000;
    const other = await own.ready();
    const slow = own.sandboxes.run({ id: other, cmd: ["head", "-c", `${size}`, "/dev/zero"] });
    let total = (await slow.next()).value?.data.length ?? 0;
    expect((await readAll(run("echo done"))).stdout).toBe("done\n");
    for await (const { data } of slow) total += data.length;
    expect(total).toBe(size);
    await own.sandboxes.remove({ id: other });
  });

  test("a directory is the sandbox's, and must be there", async () => {
    await mkdir(join(own.rootfs(id), "deep/er"), { recursive: true });
    expect((await readAll(run("pwd", { workingDir: "/../deep/er" }))).stdout).toBe(`${own.rootfs(id)}/deep/er\n`);
    const missing = await errorOf(run("pwd", { workingDir: "/none" }));
    expect([missing.code, missing.rawMessage]).toEqual([
      Code.InvalidArgument,
      'working_dir: "/none" is no directory in sandbox "one": invalid argument',
    ]);
  });

  test("a command that cannot be run fails as in a shell, and the sandbox stays ready", async () => {
    await writeFile(join(own.rootfs(id), "data"), "");
    expect(await readAll(own.sandboxes.run({ id, cmd: ["no-such-command"] }))).toEqual({
      stdout: "",
      stderr: "no-such-command: not found\n",
      code: 127,
    });
    expect((await readAll(own.sandboxes.run({ id, cmd: ["./data"] }))).code).toBe(126);
    expect((await own.sandboxes.inspect({ id })).state).toBe("ready");
  });

  test("a command runs as the guest's own user, and as another one only where the guest is root", async () => {
    for (const user of ["", "root", "0", os.userInfo().username]) {
      expect((await readAll(run("id -u", { user }))).stdout).toBe(`${process.getuid?.()}\n`);
    }
    const other = run("id -un", { user: "daemon" });
    if (process.getuid?.() === 0) expect((await readAll(other)).stdout).toBe("daemon\n");
    else expect((await errorOf(other)).code).toBe(Code.PermissionDenied);
  });

  test("bad commands are refused by the field that is wrong", async () => {
    for (const [field, request] of [
      ["cmd", { cmd: [] }],
      ["cmd", { cmd: [""] }],
      ["cmd[1]", { cmd: ["echo", "a\0"] }],
      ["working_dir", { cmd: ["pwd"], workingDir: "deep" }],
      ["env", { cmd: ["pwd"], env: { "a=b": "" } }],
      ['env["a"]', { cmd: ["pwd"], env: { a: "\0" } }],
      ["user", { cmd: ["pwd"], user: "no such user" }],
    ] as const) {
      const calls = [
        own.sandboxes.run({ id, ...request, cmd: [...request.cmd] }),
        own.sandboxes.exec([{ payload: { case: "init", value: { id, ...request, cmd: [...request.cmd] } } }]),
      ];
      for (const call of calls) {
        const error = await errorOf(call);
        expect([error.code, error.rawMessage.split(": ")[0]]).toEqual([Code.InvalidArgument, field]);
      }
    }
  });

  test("one command at a time: others find the sandbox running", async () => {
    const { inputs, output } = exec("echo up; cat");
    await readUntil(output, "up");
    for (const call of [
      run("true"),
      own.sandboxes.exec([{ payload: { case: "init", value: { id, cmd: ["true"] } } }]),
      own.snapshots.checkpoint({ sandboxId: id }),
    ]) {
      const error = await errorOf(call);
      expect([error.code, error.rawMessage]).toEqual([
        Code.FailedPrecondition,
        "sandboxes/one: the sandbox is running, not ready: failed precondition",
      ]);
    }
    inputs.end();
    expect((await readAll(output)).code).toBe(0);
    const both = await Promise.allSettled([readAll(run("echo 1")), readAll(run("echo 2"))]);
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  test("a command that takes too long is killed, with what came from it", async () => {
    const { stdout, code } = await readAll(
      run("setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.01; done' & wait", { timeoutSeconds: 1 }),
    );
    expect(code).toBe(137);
    expect(alive(Number(stdout))).toBe(false);
    expect((await readAll(run("echo in time", { timeoutSeconds: 2 ** 32 - 1 }))).stdout).toBe("in time\n");
  });

  test("leaving ends the command, also one that ignores SIGTERM", async () => {
    for (const script of ["echo $$; sleep 1000; echo never", "trap '' TERM; echo $$; while :; do sleep 0.01; done"]) {
      const output = run(script);
      const pid = Number(await readUntil(output, "\n"));
      await output.return?.();
      await readyAgain();
      expect(alive(pid)).toBe(false);
    }
  });

  test("input goes in, its end ends it, raw bytes go both ways", async () => {
    const { inputs, output } = exec("read -r line; echo got $line; wc -c");
    await inputs.push(stdin("hello\n"));
    expect(await readUntil(output, "\n")).toBe("got hello\n");
    const bytes = new Uint8Array(1_000_000).fill(200);
    for (let at = 0; at < bytes.length; at += 100_000) await inputs.push(stdin(bytes.subarray(at, at + 100_000)));
    inputs.end();
    expect(await readAll(output)).toEqual({ stdout: "1000000\n", stderr: "", code: 0 });
  });

  test("input for a command that does not read it is no error", async () => {
    const { inputs, output } = exec("exec <&-; echo closed; exit 2");
    await readUntil(output, "closed");
    await inputs.push(stdin("dropped")).catch(() => {});
    expect((await readAll(output)).code).toBe(2);
  });

  test("the first message must be init, and only the first", async () => {
    expect((await errorOf(own.sandboxes.exec([]))).code).toBe(Code.InvalidArgument);
    const early = await errorOf(own.sandboxes.exec([stdin("x")]));
    expect([early.code, early.rawMessage]).toEqual([
      Code.InvalidArgument,
      "init: must be the first message: invalid argument",
    ]);
    const { inputs, output } = exec("echo up; exec sleep 1000");
    await readUntil(output, "up");
    await inputs.push({ payload: { case: "init", value: { id, cmd: ["true"] } } });
    const late = await errorOf(output);
    expect([late.code, late.rawMessage]).toEqual([
      Code.InvalidArgument,
      "init: must be the first message only: invalid argument",
    ]);
    await readyAgain();
  });

  test("a caller of exec who leaves ends the command", async () => {
    const { output } = exec("echo $$; exec sleep 1000");
    const pid = Number(await readUntil(output, "\n"));
    await output.return?.();
    await readyAgain();
    expect(alive(pid)).toBe(false);
  });

  test("a terminal has its size from the start, hears of another one, and Ctrl-C interrupts", async () => {
    const script = 'stty size; trap "stty size" WINCH; echo ready; while :; do sleep 0.05; done';
    const { inputs, output } = exec(script, { tty: true, ttySize: { width: 132, height: 43 } });
    expect(await readUntil(output, "ready")).toContain("43 132\r\n");
    await inputs.push(resize(100, 30));
    await readUntil(output, "30 100\r\n");
    await inputs.push(stdin("\x03"));
    const { stderr, code } = await readAll(output);
    expect([stderr, code]).toEqual(["", 130]);
  });

  test("the end of the input is Ctrl-D on a terminal, which has 80 columns and 24 rows without a size", async () => {
    const { inputs, output } = exec("stty size; cat; echo over", { tty: true });
    await inputs.push(stdin("line\n"));
    inputs.end();
    const { stdout, code } = await readAll(output);
    expect(stdout).toMatch(/^24 80\r\nline\r\nline\r\nover\r\n$|^line\r\n24 80\r\nline\r\nover\r\n$/);
    expect(code).toBe(0);
  });

  test("run on a terminal has no input either", async () => {
    expect(await readAll(run("test -t 0 && cat; echo bad >&2", { tty: true }))).toEqual({
      stdout: "bad\r\n",
      stderr: "",
      code: 0,
    });
  });

  test("an interactive shell, which ignores SIGTERM, ends with its caller and with its sandbox", async () => {
    for (const end of ["leave", "stop"]) {
      const sandbox = await own.ready();
      const { inputs, output } = exec("PS1='$ ' exec sh -i", { id: sandbox, tty: true });
      await readUntil(output, "$ ");
      await inputs.push(stdin("echo pid $$.\n"));
      const pid = Number(/pid (\d+)\./.exec(await readUntil(output, /pid \d+\./))?.[1]);
      if (end === "leave") {
        await output.return?.();
        while ((await own.sandboxes.inspect({ id: sandbox })).state !== "ready");
      } else {
        await own.sandboxes.stop({ id: sandbox });
        expect((await readAll(output)).code).not.toBe(0);
      }
      expect(alive(pid)).toBe(false);
      await own.sandboxes.remove({ id: sandbox });
    }
  });

  test("a hundred commands leave no process and no descriptor behind", async () => {
    const descriptors = (): string[] => readdirSync("/proc/self/fd");
    await readAll(run("true"));
    const before = descriptors().length;
    for (let count = 0; count < 50; count++) {
      const { inputs, output } = exec("cat", { tty: count % 5 === 0 });
      await inputs.push(stdin("x\n"));
      inputs.end();
      expect((await readAll(output)).code).toBe(0);
      await readAll(run("true"));
    }
    // Terminals close a moment after their program's end.
    while (descriptors().length > before) await own.sandboxes.list({});
    expect(own.processes()).toEqual([]);
  });
});
