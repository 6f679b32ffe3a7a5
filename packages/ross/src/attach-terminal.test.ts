import { PassThrough } from "node:stream";
import { createInProcessChannel } from "@guestwire/rpc";
import { expect, test } from "vitest";
import { attachTerminal, ContainerService, type ContainerServiceHandler, openRoss, type RossSession } from "./index.js";

/** What stands for a terminal where there is none: it remembers its mode. The real one is tried with the guest. */
class Terminal extends PassThrough {
  isTTY = true;
  isRaw = false;
  columns = 80;
  rows = 24;
  modes: boolean[] = [];
  setRawMode(raw: boolean): this {
    this.isRaw = raw;
    this.modes.push(raw);
    return this;
  }
}

function session(runInteractive: ContainerServiceHandler["runInteractive"]): RossSession {
  return openRoss(
    createInProcessChannel((router) => router.service(ContainerService, { runInteractive })),
  ).runInteractive("c");
}

const listeners = (stream: Terminal) => ["data", "end", "error", "resize"].map((event) => stream.listenerCount(event));
const output = (stream: string, text: string) => ({
  output: { case: "data" as const, value: { stream, data: Buffer.from(text) } },
});

test("keys go, output comes, the window is followed, and the terminal is as before", async () => {
  const [stdin, stdout, stderr] = [new Terminal(), new Terminal(), new Terminal()];
  const shown = { out: "", err: "" };
  stdout.on("data", (data) => (shown.out += data));
  stderr.on("data", (data) => (shown.err += data));
  const before = [listeners(stdin), listeners(stdout)];
  const got: string[] = [];
  const attached = attachTerminal(
    session(async function* (inputs) {
      for await (const { input } of inputs) {
        if (input.case === "resize") got.push(`${input.value.width}x${input.value.height}`);
        if (input.case !== "stdin") continue;
        const key = Buffer.from(input.value).toString();
        got.push(key);
        yield output("stdout", key.toUpperCase());
        if (key === "a") {
          stdout.columns = 100;
          stdout.emit("resize");
        }
        if (key === "q") break;
      }
      yield output("stderr", "err");
      yield { output: { case: "exit", value: { statusCode: 4n } } };
    }),
    { stdin, stdout, stderr },
  );
  expect(stdin.modes).toEqual([true]);
  stdin.write("a");
  await expect.poll(() => got).toEqual(["80x24", "a", "100x24"]);
  stdin.write("q");
  expect(await attached).toEqual({ code: 4, error: undefined });
  await expect.poll(() => shown).toEqual({ out: "AQ", err: "err" });
  expect(stdin.modes).toEqual([true, false]);
  expect(stdin.isPaused()).toBe(true);
  expect([listeners(stdin), listeners(stdout)]).toEqual(before);
});

test("the end of the keys is the end of the input", async () => {
  const stdin = new Terminal();
  stdin.end("last");
  const attached = attachTerminal(
    session(async function* (inputs) {
      let all = "";
      for await (const { input } of inputs) if (input.case === "stdin") all += Buffer.from(input.value);
      yield { output: { case: "exit", value: { statusCode: BigInt(all.length) } } };
    }),
    { stdin, stdout: new Terminal() },
  );
  expect((await attached).code).toBe(4);
});

test("the terminal is as before also when the session or the output fails", async () => {
  const failing = new Terminal();
  const cut = attachTerminal(
    session(() => []),
    { stdin: failing, stdout: new Terminal() },
  );
  await expect(cut).rejects.toThrow("ended without an exit");
  expect(failing.modes).toEqual([true, false]);
  const [stdin, stdout] = [new Terminal(), new Terminal()];
  const broken = attachTerminal(
    session(async function* (inputs) {
      yield output("stdout", "x");
      for await (const _ of inputs);
    }),
    { stdin, stdout },
  );
  stdout.destroy(new Error("EPIPE"));
  await expect(broken).rejects.toThrow("EPIPE");
  expect(stdin.modes).toEqual([true, false]);
});
